"""scripts/launch_local.py: what it starts, and that nothing of it is left, however it ends."""
import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import launch_local

SCRIPT = launch_local.__file__
# Writes its number and that of a process which it starts, then does nothing.
SLEEPERS = ['sh', '-c', 'sleep 1000 & echo $$ $! >> "$0"; wait']


def launch(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True,
                          text=True, timeout=120)


@pytest.fixture
def job(tmp_path):
    """A job of two workers that sleep: the launcher, and all processes that it has started."""
    command = [sys.executable, SCRIPT, '2', '--', *SLEEPERS, tmp_path / 'pids']
    launcher = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    processes, pids, end = [], [], time.monotonic() + 60
    try:
        while len(pids) < 4:
            assert launcher.poll() is None and time.monotonic() < end
            time.sleep(0.1)
            with contextlib.suppress(FileNotFoundError):
                pids = [int(pid) for pid in (tmp_path / 'pids').read_text().split()]
        processes = psutil.Process(launcher.pid).children(recursive=True)
        assert set(pids) < {process.pid for process in processes}
        yield launcher, processes
    finally:
        for process in [launcher, *processes]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        launcher.communicate()


def role(process):
    return process.environ().get('DMLC_ROLE')


@pytest.mark.parametrize('number, status', [(signal.SIGINT, 130), (signal.SIGTERM, 143),
                                            (signal.SIGKILL, -9)])
def test_nothing_is_left_when_the_launcher_is_stopped(job, number, status):
    launcher, processes = job
    launcher.send_signal(number)
    assert launcher.wait(timeout=30) == status
    assert psutil.wait_procs(processes, timeout=30)[1] == []


@pytest.mark.parametrize('name', ['scheduler', 'server', 'worker'])
def test_nothing_is_left_when_a_process_is_killed(job, name):
    launcher, processes = job
    next(p for p in processes if role(p) == name).kill()
    _, stderr = launcher.communicate(timeout=30)
    assert launcher.returncode == 137
    assert stderr.startswith(f'launch_local: {name}') and 'was ended by SIGKILL' in stderr
    assert psutil.wait_procs(processes, timeout=30)[1] == []


def test_nohup_stays_in_force(tmp_path):
    """The terminal is closed, and the job goes on."""
    launcher = subprocess.Popen(
        [sys.executable, SCRIPT, '1', '--', 'sh', '-c', 'echo begun; sleep 0.5; exit 3'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert launcher.stdout.readline() == 'worker 0: begun\n'
    launcher.send_signal(signal.SIGHUP)
    assert launcher.communicate(timeout=60)[1].startswith('launch_local: worker 0 ended with')
    assert launcher.returncode == 3


@pytest.mark.parametrize('wait', [0, 0.02, 0.05, 0.1, 0.2])
def test_a_signal_at_any_moment_of_its_start(wait):
    launcher = subprocess.Popen([sys.executable, SCRIPT, '1', '--', 'sleep', '1000'],
                                stderr=subprocess.PIPE, text=True)
    group = psutil.Process(launcher.pid)
    time.sleep(wait)
    started = group.children(recursive=True)
    launcher.terminate()
    stderr = launcher.communicate(timeout=60)[1]
    assert (launcher.returncode, stderr) in [
        (-15, ''), (143, 'launch_local: got SIGTERM; everything is stopped\n')]
    assert psutil.wait_procs(started, timeout=30)[1] == []


@pytest.mark.skipif(not hasattr(signal, 'SIGRTMIN'), reason='Linux has them')
def test_a_worker_ended_by_a_signal_without_a_name():
    number = signal.SIGRTMIN + 3
    done = launch(1, '--', 'sh', '-c', f'kill -{number} $$')
    assert done.returncode == 128 + number
    assert done.stderr == (f'launch_local: worker 0 was ended by signal {number}; everything is '
                           'stopped\n')


def test_any_bytes_are_handed_on(tmp_path):
    """Whatever this terminal can print."""
    words = b'Zo\xeb \xe7\x8c\xab \xff\0\r50 %\r100 %'
    (tmp_path / 'words').write_bytes(words + b'\n' + b'x' * 200_000)
    done = subprocess.run(
        [sys.executable, SCRIPT, '1', '--', 'sh', '-c', 'cat "$0"; cat "$0" >&2; exit 3',
         tmp_path / 'words'],
        capture_output=True, timeout=120, env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert done.returncode == 3
    for out in (done.stdout, done.stderr):
        assert out.startswith(b'worker 0: ' + words + b'\nworker 0: x')
        assert out.count(b'x') == 200_000


def test_only_servers_say_that_all_have_met(tmp_path):
    line = 'x/ps-lite/src/van.cc:1: is connected to others'
    done = launch(1, '--timeout', '1', '--', 'sh', '-c', f'echo {line}; sleep 1000')
    assert done.stdout == f'worker 0: {line}\n'
    assert 'the workers have not met within 1 s' in done.stderr


def test_a_failed_worker_ends_the_job_and_its_last_words_are_heard(tmp_path):
    done = launch(2, '--', sys.executable, '-c', f'''
import os, sys, time
try:
    os.mkdir({str(tmp_path / "first")!r})
except FileExistsError:
    time.sleep(1000)
print('to stdout'); sys.stderr.write('to stderr, without end'); os._exit(3)''')
    assert done.returncode == 3
    out, (words, verdict) = done.stdout.splitlines(), done.stderr.splitlines()
    worker = out[0].split(':')[0]
    assert out == [f'{worker}: to stdout'] and words == f'{worker}: to stderr, without end'
    assert verdict == f'launch_local: {worker} ended with status 3; everything is stopped'


@pytest.mark.parametrize('arguments, problem', [
    ((2, '--', 'true'), 'a worker ended before all workers had met'),
    ((1, '--timeout', '0.5', '--', 'sleep', '1000'), 'the workers have not met within 0.5 s'),
    ((1, '--', './no-such-program'), 'cannot start ./no-such-program: No such file'),
])
def test_jobs_that_cannot_work(arguments, problem):
    done = launch(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f'launch_local: {problem}') and done.stderr.count('\n') == 1


@pytest.mark.parametrize('arguments, problem', [
    (['2'], 'after -- the command'), (['2', '--'], 'after -- the command'),
    (['0', '--', 'true'], 'at least one'), (['2', '--servers', '0', '--', 'true'], 'at least one'),
    (['two', '--', 'true'], 'invalid int'), (['--', 'true'], 'required: N'),
    (['1', '--timeout', 'nan', '--', 'true'], 'a number above 0'),
    (['1', '--timeout', '0', '--', 'true'], 'a number above 0'),
])
def test_command_lines_that_make_no_sense(arguments, problem, capsys):
    with pytest.raises(SystemExit, match='2'):
        launch_local.parse(arguments)
    assert problem in capsys.readouterr().err


def environments(arguments, monkeypatch, **variables):
    for name in ('OMP_NUM_THREADS', *variables):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return {name: env for name, _, env in launch_local.nodes(*launch_local.parse(arguments))}


def test_what_each_process_is_told(monkeypatch):
    envs = environments(['3', '--servers', '2', '--', 'x', '--help', '--', 'y'], monkeypatch,
                        DMLC_ROLE='worker', DMLC_NUM_WORKER='9', DMLC_PS_ROOT_PORT='1', PORT='80')
    assert list(envs) == ['scheduler', 'server 0', 'server 1', 'worker 0', 'worker 1', 'worker 2']
    assert all(env['DMLC_ROLE'] == name.split()[0] for name, env in envs.items())
    counts = {(env['DMLC_NUM_WORKER'], env['DMLC_NUM_SERVER']) for env in envs.values()}
    assert counts == {('3', '2')}
    ports = [int(envs['scheduler']['DMLC_PS_ROOT_PORT']),
             *(int(env['PORT']) for name, env in envs.items() if name != 'scheduler')]
    assert ports == sorted(set(ports)) and ports[0] > 1024


def test_the_cores_are_divided_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.setattr(launch_local, 'cpu_count', lambda only_physical_cores: 8)
    for workers, threads in ((1, '8'), (3, '2'), (16, '1')):
        envs = environments([str(workers), '--', 'x'], monkeypatch)
        assert {env['OMP_NUM_THREADS'] for env in envs.values()} == {threads}
    envs = environments(['2', '--', 'x'], monkeypatch, OMP_NUM_THREADS='5')
    assert {env['OMP_NUM_THREADS'] for env in envs.values()} == {'5'}
