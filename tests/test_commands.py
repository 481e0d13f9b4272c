"""scripts/commands.py: how every command ends and prints, tried on small commands."""
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from rules import ROOT


def command(body, *arguments, **options):
    """Starts a command whose main(arguments) has this body; its output is kept."""
    script = '\n'.join([
        'import signal, sys, time', f'sys.path.insert(0, {str(ROOT / "scripts")!r})',
        'import commands', 'def main(arguments):', textwrap.indent(textwrap.dedent(body), '    '),
        'sys.exit(commands.run(main))'])
    return subprocess.Popen([sys.executable, '-c', script, *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **{'text': True, **options})


def ended(process):
    """Its exit status, and what it has printed."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


# A command that works until it is stopped, and then cleans up.
WORK = '''
    try:
        print('begun', flush=True)
        time.sleep(60)
    except KeyboardInterrupt as error:
        print('cleaned up after', error)
        return 130
'''


@pytest.mark.parametrize(('body', 'status', 'said'), [
    ('return 0', 0, ''), ('return 1', 1, ''), ('sys.exit(2)', 2, ''), ('sys.exit()', 0, ''),
    ('raise KeyboardInterrupt', 130, ''), ("raise OSError(28, 'No space left')", 1,
                                           '-c: [Errno 28] No space left\n')])
def test_statuses(body, status, said):
    assert ended(command(body)) == (status, '', said)


def test_arguments():
    assert ended(command('print(arguments)\nreturn 0', 'a', '--b'))[1] == "['a', '--b']\n"


@pytest.mark.parametrize('encoding', ['ascii', 'latin-1', 'utf-8'])
def test_any_name_is_printed(encoding):
    body = r'''
        print('Zo\xeb \u732b \udcff \ud800')
        print('Zo\xeb \u732b \udcff \ud800', file=sys.stderr)
        return 0
    '''
    process = command(body, encoding=encoding,
                      env={**os.environ, 'PYTHONIOENCODING': f'{encoding}:strict'})
    status, out, err = ended(process)
    assert status == 0 and out == err and r'\udcff \ud800' in out
    assert ('猫' if encoding == 'utf-8' else r'\u732b') in out


@pytest.mark.parametrize('body', [
    'for i in range(100_000): print(i)',
    'for i in range(100_000): print(i, flush=True)',
    "print('fits into the buffer')",
    "import argparse; argparse.ArgumentParser().parse_args(['--help'])",
    'for i in range(100_000): print(i, file=sys.stderr)'])
def test_when_nobody_reads_on_it_ends_quietly(body):
    process = command(f'sys.stdin.readline()\n{body}\nreturn 0', stdin=subprocess.PIPE)
    process.stdout.close()
    if 'stderr' in body:
        process.stderr.close()
    process.stdin.write('go\n')
    process.stdin.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.closed or process.stderr.read() == ''


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='Linux has it')
def test_output_that_cannot_be_written():
    with open('/dev/full', 'w') as full:
        done = subprocess.run(
            [sys.executable, '-c', 'import commands, sys\n'
             'sys.exit(commands.run(lambda arguments: print("result")))'],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT / 'scripts')
    assert done.returncode == 1 and done.stderr.count('\n') == 1
    assert 'No space left on device' in done.stderr


def test_closed_output():
    done = subprocess.run(
        ['sh', '-c', f'"{sys.executable}" -c "$0" >&-', 'import commands, sys\n'
         'sys.exit(commands.run(lambda arguments: print("result")))'],
        capture_output=True, text=True, cwd=ROOT / 'scripts')
    assert done.returncode == 0 and done.stderr == ''


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize('times', [1, 2])
def test_signals_let_it_clean_up(number, times):
    body = WORK.replace('        print(', "        time.sleep(0.3)\n        print(", 2)
    process = command(body)
    assert process.stdout.readline() == 'begun\n'
    for _ in range(times):  # as somebody in a hurry presses Ctrl-C
        process.send_signal(number)
    assert ended(process) == (128 + number, f'cleaned up after {number.name}\n', '')


def test_a_signal_that_main_does_not_expect():
    process = command("print('begun', flush=True)\ntime.sleep(60)")
    assert process.stdout.readline() == 'begun\n'
    process.terminate()
    assert ended(process) == (143, '', '')


def test_ignored_signals_stay_ignored():
    """nohup, and a shell script's background jobs."""
    process = command('''
        print('begun', flush=True)
        sys.stdin.readline()
        return 0
    ''', stdin=subprocess.PIPE, preexec_fn=lambda: [
        signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT)])
    assert process.stdout.readline() == 'begun\n'
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (0, '', '')


def test_an_interrupt_that_a_destructor_swallows_is_repeated():
    process = command('''
        class Slow:
            def __del__(self):
                print('begun', flush=True)
                time.sleep(60)
        try:
            Slow()
            time.sleep(60)
        except KeyboardInterrupt:
            print('stopped')
            return 130
    ''')
    assert process.stdout.readline() == 'begun\n'
    process.terminate()
    assert ended(process) == (143, 'stopped\n', '')


def test_other_errors_of_destructors_are_printed_as_ever():
    status, _, err = ended(command('''
        class Odd:
            def __del__(self):
                raise ValueError('odd')
        Odd()
        return 0
    '''))
    assert status == 0 and 'ValueError: odd' in err


@pytest.mark.parametrize(('name', 'needed'), [
    ('split_data', 'loky'), ('predict', 'PIL'), ('export', 'loky'), ('launch_local', 'loky')])
def test_ctrl_c_while_modules_are_loaded(name, needed, tmp_path):
    """Here a module that it needs takes for ever."""
    (tmp_path / f'{needed}.py').write_text(
        "import time\nprint('begun', flush=True)\ntime.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, ROOT / 'scripts' / f'{name}.py', '--help'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**{k: v for k, v in os.environ.items() if k != 'OMP_NUM_THREADS'},
             'PYTHONPATH': str(tmp_path)})
    assert process.stdout.readline() == 'begun\n'
    process.send_signal(signal.SIGINT)
    assert ended(process) == (-signal.SIGINT, '', '')


@pytest.mark.parametrize('name', ['split_data', 'predict'])
@pytest.mark.parametrize('safe', [False, True])
def test_other_modules_of_our_names_do_not_matter(name, safe, tmp_path):
    for other in ('utils', 'resnet', 'commands', 'files', 'pictures', 'checkpoint'):
        (tmp_path / f'{other}.py').write_text(f'raise SystemExit("another {other}")')
    env = {**os.environ, 'PYTHONPATH': str(tmp_path), **({'PYTHONSAFEPATH': '1'} if safe else {})}
    done = subprocess.run([sys.executable, ROOT / 'scripts' / f'{name}.py', '--help'], env=env,
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == '' and 'usage: ' in done.stdout


@pytest.mark.parametrize(('name', 'arguments'), [
    ('split_data', ['--help']), ('predict', ['--help']), ('launch_local', ['--help'])])
def test_head(name, arguments):
    """… | head, when head has gone already."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, ROOT / 'scripts' / f'{name}.py', *arguments],
                              stdout=writer, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writer)
    assert done.returncode == 141 and done.stderr == ''
