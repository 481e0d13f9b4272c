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

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # where PYTHONSAFEPATH is set
import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
from loky import cpu_count

HOST = '127.0.0.1'
PIECE = 2 ** 16  # bytes of a line that are handed on at once


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
    parser.add_argument('--timeout', metavar='SECONDS', type=commands.number(float, 0),
                        default=300,
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
    """Hands on the bytes that a process writes, line by line, whatever they are.

    Sets `met` when a server has met all others. It says so, as it says what it binds and stops,
    because of PS_VERBOSE.
    """
    while line := stream.readline(PIECE):
        if name.startswith('server') and b'ps-lite/src/' in line and b'Check failed' not in line:
            if b'is connected to others' in line:
                met.set()
        elif out:
            with contextlib.suppress(OSError):  # nobody reads us, but the job goes on
                out.buffer.write(name.encode() + b': ' + line.rstrip(b'\r\n') + b'\n')
                out.buffer.flush()


def start(name, command, env, group, met):
    """Starts one process in the process group `group`; returns it and the threads of `relay`."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, process_group=group,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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
                how = (f'was ended by {signal_name(-status)}' if status < 0
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


def signal_name(number):
    """SIGTERM for 15; real-time signals, for example, have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'


def run(options, command):
    """Runs the job to its end, or stops all of it: (exit status, what was wrong or None)."""
    processes, threads, met = {}, [], threading.Event()
    # All processes of the job are in the group of this one. It reads from a pipe that ends with
    # the launcher, even by kill -9, and then ends the group.
    guard = subprocess.Popen(['sh', '-c', 'read line; kill -KILL 0'], stdin=subprocess.PIPE,
                             process_group=0)
    try:
        for name, line, env in nodes(options, command):
            processes[name], relays = start(name, line, env, guard.pid, met)
            threads += relays
        return watch(processes, met, options.timeout)
    finally:
        for number in commands.STOP:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # they have all ended
            os.killpg(guard.pid, signal.SIGKILL)
        for process in (guard, *processes.values()):
            process.wait()
        for thread in threads:
            thread.join(timeout=5)


def main(arguments):
    """Runs the job that the command line asks for; returns the exit status."""
    options, command = parse(arguments)
    try:
        status, problem = run(options, command)
    except KeyboardInterrupt as error:
        status, problem = 130, f'got {error}'
    except OSError as error:
        status, problem = 1, f'cannot start {error.filename or command[0]}: {error.strerror}'
    if problem:
        print(f'launch_local: {problem}; everything is stopped', file=sys.stderr)
    return status


if __name__ == '__main__':
    sys.exit(commands.run(main))
