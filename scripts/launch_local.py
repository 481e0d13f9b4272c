"""Starts a distributed training job on this machine, and stops all of it when one part fails.

    python scripts/launch_local.py 2 -- python scripts/train.py fashion-mnist --kvstore dist_sync

A job is MXNet's scheduler, which tells everyone the addresses of the others, its servers, which
add up gradients, and N workers, each of which runs the command. Left alone, MXNet waits for ever
for a worker that has died.
"""
import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from loky import cpu_count

HOST = '127.0.0.1'


class Stopped(Exception):
    """The launcher got this signal."""


def stop(number, frame):
    raise Stopped(number)


def parse(arguments):
    """The command line as (options, command of a worker)."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n\n')[0],
        usage='launch_local.py N [--servers S] [--timeout SECONDS] -- COMMAND …',
        epilog='Example: python scripts/launch_local.py 2 -- '
               'python scripts/train.py fashion-mnist --kvstore dist_sync')
    parser.add_argument('workers', metavar='N', type=int,
                        help='how many workers; each runs COMMAND, and the cores are divided '
                             'among them unless you set OMP_NUM_THREADS')
    parser.add_argument('--servers', metavar='S', type=int, default=1,
                        help='how many servers add up the gradients (1)')
    parser.add_argument('--timeout', metavar='SECONDS', type=float, default=300,
                        help='give up if not all workers have reported by then (300)')
    end = arguments.index('--') if '--' in arguments else len(arguments)
    options, command = parser.parse_args(arguments[:end]), arguments[end + 1:]
    if not command:
        parser.error('after -- the command of a worker is wanted')
    if options.workers < 1 or options.servers < 1:
        parser.error('there must be at least one worker and one server')
    return options, command


def free_ports(count):
    """So many ports of this machine that nobody listens on, in ascending order."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return sorted(each.getsockname()[1] for each in sockets)


def nodes(options, command):
    """What to start: (name, command, environment) of the scheduler, each server, each worker."""
    workers, servers = options.workers, options.servers
    root_port, *ports = free_ports(1 + servers + workers)
    env = {
        **os.environ,
        'DMLC_NUM_WORKER': str(workers), 'DMLC_NUM_SERVER': str(servers),
        'DMLC_PS_ROOT_URI': HOST, 'DMLC_PS_ROOT_PORT': str(root_port), 'DMLC_NODE_HOST': HOST,
        'PYTHONUNBUFFERED': '1',
        # `python` in the command is the one that runs this script.
        'PATH': os.pathsep.join([os.path.dirname(sys.executable), os.environ.get('PATH', '')]),
    }
    cores = cpu_count(only_physical_cores=True)
    env.setdefault('OMP_NUM_THREADS', str(max(1, cores // workers)))
    serve = [sys.executable, '-c', 'import mxnet']  # with another role than worker, it serves
    yield 'scheduler', serve, {**env, 'DMLC_ROLE': 'scheduler'}
    # MXNet ranks the nodes by their ports, so that the ranks are our numbers.
    for i in range(servers):
        yield f'server {i}', serve, {**env, 'DMLC_ROLE': 'server', 'PORT': str(ports[i]),
                                     'PS_VERBOSE': '1'}
    for i in range(workers):
        yield f'worker {i}', command, {**env, 'DMLC_ROLE': 'worker',
                                       'PORT': str(ports[servers + i])}


def relay(stream, name, out, met):
    """Hands on what a process writes, line by line; sets `met` when a server has met all others.

    A server says so, as it says what it binds and stops, because of PS_VERBOSE.
    """
    for line in stream:
        if 'ps-lite/src/' not in line:
            with contextlib.suppress(OSError):  # nobody reads us, but the job goes on
                out.write(f'{name}: {line.rstrip()}\n')
                out.flush()
        elif 'is connected to others' in line:
            met.set()


def start(name, command, env, group, met):
    """Starts one process in the process group `group`; returns it and the threads of `relay`."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, process_group=group,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8',
                               errors='replace')
    threads = [threading.Thread(target=relay, args=(stream, name, out, met), daemon=True)
               for stream, out in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))]
    for thread in threads:
        thread.start()
    return process, threads


def watch(processes, met, timeout):
    """Waits until all workers have ended well or anything fails: (exit status, what was wrong)."""
    deadline = time.monotonic() + timeout
    while True:
        states = {name: process.poll() for name, process in processes.items()}
        for name, status in states.items():
            if status:
                how = (f'was ended by {signal.Signals(-status).name}' if status < 0
                       else f'ended with status {status}')
                return 128 - status if status < 0 else status, f'{name} {how}'
        workers = [status for name, status in states.items() if name.startswith('worker')]
        if 0 in workers and not met.wait(1):
            return 1, ('a worker ended before all workers had met: does the command use a '
                       'dist_sync kvstore?')
        if all(status == 0 for status in workers):
            return 0, None
        if not met.is_set() and time.monotonic() > deadline:
            return 1, f'the workers have not met within {timeout:g} s'
        time.sleep(0.1)


def main(arguments):
    """Runs the job that the command line asks for; returns the exit status."""
    options, command = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    # All processes of the job are in the group of this one. It reads from a pipe that ends with
    # the launcher, even by kill -9, and then ends the group.
    guard = subprocess.Popen(['sh', '-c', 'read line; kill -KILL 0'], stdin=subprocess.PIPE,
                             process_group=0)
    processes, threads, met = {}, [], threading.Event()
    try:
        for name, line, env in nodes(options, command):
            processes[name], relays = start(name, line, env, guard.pid, met)
            threads += relays
        status, problem = watch(processes, met, options.timeout)
    except Stopped as error:
        status, problem = 128 + error.args[0], f'got {signal.Signals(error.args[0]).name}'
    except OSError as error:
        status, problem = 1, f'cannot start {command[0]}: {error.strerror}'
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.killpg(guard.pid, signal.SIGKILL)
        for process in (guard, *processes.values()):
            process.wait()
        for thread in threads:
            thread.join(timeout=5)
    if problem:
        print(f'launch_local: {problem}; everything is stopped', file=sys.stderr)
    return status


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
