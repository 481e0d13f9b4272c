"""The 75-second challenge: trains students' nets under the clock, and keeps the table.

    challenge.py NET [NET …] [--seconds 75.1] [--memory 4000] [--out build/challenge]

NET is an entry, a Python file as assignments/challenge/README.md describes it, or a folder of them.
Each runs in a process of its own. Each result is appended to OUT/results.csv, and the file itself
is kept beside it; the table is printed at the end.
"""
import argparse
import csv
import datetime
import hashlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from scripts import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
import utils  # before mxnet, for its threads

import numpy as np
import psutil

from scripts.files import locked, whole
from tools.notebook import ROOT
from tools.record import processor

SECONDS = 75.1  # the original lesson's epoch on its GPU
LARGEST = 100_000  # bytes of an entry: more could hold trained weights
COLUMNS = ('verdict', 'accuracy', 'seconds', 'megabytes', 'entry', 'sha256', 'why', 'machine',
           'date')
IDLE = 0.5  # of one core: who has used less has slept


def used(process):
    """(CPU seconds, megabytes resident) of a process with its children."""
    seconds = megabytes = 0.
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            seconds += times.user + times.system
            megabytes += one.memory_info().rss / 1e6
    return seconds, megabytes


def hand_over_test_images(process, folder):
    """Write the test images in a new order to a file, and name it; returns the order."""
    images, _ = utils.read_fashion_mnist('test')
    order = np.random.default_rng().permutation(len(images))
    np.save(folder / 'test.npy', images[order])
    with suppress(BrokenPipeError):  # it has died meanwhile; its end of the messages is closed
        process.stdin.write(f'{folder / "test.npy"}\n')
        process.stdin.flush()
    return order


def watch(process, messages, folder, limit, memory):
    """Until the entry has ended or broken a limit: its result, {column: value}, and the order in
    which it was given the test images, None before."""
    start, order, peak, begun = time.perf_counter(), None, 0., None
    child, reader = psutil.Process(process.pid), selectors.DefaultSelector()
    reader.register(messages, selectors.EVENT_READ)
    while True:
        line = messages.readline() if reader.select(0.1) else None
        seconds = time.perf_counter() - start
        cpu, megabytes = used(child)
        peak = max(peak, megabytes)
        result = {'seconds': round(seconds, 1), 'megabytes': round(peak)}
        message = json.loads(line) if line else {}
        if 'started' in message:
            begun = seconds, cpu
        elif 'trained' in message:
            order = hand_over_test_images(process, folder)
        elif 'rule' in message:
            return {**result, 'verdict': 'rule', 'why': message['rule']}, order
        elif 'error' in message:
            return {**result, 'verdict': 'crashed', 'why': message['error']}, order
        if megabytes > memory:
            return {**result, 'verdict': 'memory', 'why': f'more than {memory:g} MB'}, order
        if seconds > limit:
            busy = (cpu - begun[1]) / (seconds - begun[0]) if begun else 1
            verdict = 'asleep' if busy < IDLE else 'slow'
            return {**result, 'verdict': verdict, 'why': f'not ready after {limit:g} s, with '
                    f'{busy:.0%} of one core in use'}, order
        if 'predicted' in message:
            return {**result, 'verdict': 'ok', 'why': ''}, order
        if line == b'':  # the other end is closed
            return {**result, 'verdict': 'crashed', 'why': died(process.wait())}, order


def died(status):
    """What the exit status of a process that said nothing tells."""
    return f'killed by signal {-status}' if status < 0 else f'ended with status {status}'


def accuracy(answers, order):
    """The share of right answers. Raises ValueError for anything but 10,000 class numbers."""
    _, labels = utils.read_fashion_mnist('test')
    if answers.shape != labels.shape:
        raise ValueError(f'predict returned the shape {answers.shape}, not {labels.shape}')
    return float((answers == labels[order]).mean())


def judge(name, text, limit=SECONDS, memory=4000):
    """Run an entry to its end or to the first limit that it breaks; returns {column: value}.

    name, text: of the file, str and bytes. limit: seconds, from the start of its Python to its
    last answer. memory: megabytes.
    """
    result = {'entry': name, 'sha256': hashlib.sha256(text).hexdigest(),
              'machine': f'{processor()}, {os.environ["OMP_NUM_THREADS"]} threads',
              'date': datetime.datetime.now().isoformat(' ', 'seconds')}
    if len(text) > LARGEST:
        return {**result, 'verdict': 'rule', 'why': f'the file has {len(text):,} bytes; '
                f'{LARGEST:,} are allowed'}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder).resolve()
        copy = folder / 'entry.py'
        copy.write_bytes(text)
        mine, theirs = os.pipe()
        process = subprocess.Popen(
            [sys.executable, '-m', 'tools.challenge_entry', copy, folder, str(limit), str(theirs)],
            cwd=folder, env=os.environ | {'PYTHONPATH': str(ROOT), 'TMPDIR': str(folder)},
            stdin=subprocess.PIPE, text=True, pass_fds=[theirs], start_new_session=True)
        os.close(theirs)
        try:
            # Unbuffered: a line that has been read ahead would not wake the selector.
            with open(mine, 'rb', buffering=0) as messages:
                outcome, order = watch(process, messages, folder, limit, memory)
        finally:
            end(process)
        if outcome['verdict'] == 'ok':
            try:
                outcome['accuracy'] = accuracy(np.load(folder / 'answers.npy'), order)
            except ValueError as error:
                outcome |= {'verdict': 'crashed', 'why': str(error)}
    return {**result, **outcome}


def end(process):
    """End a process, and all that it may have started: they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with suppress(BrokenPipeError):  # what it has not read
        process.stdin.close()


def read_table(path):
    """The results so far, [{column: text}]."""
    if not path.exists():
        return []
    with path.open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def keep(result, text, out):
    """Append a result to the table, and keep the file as it was judged."""
    rows = [*read_table(out / 'results.csv'), result]
    with whole(out / f'{result["entry"]}-{result["sha256"][:8]}.py', 'wb') as file:
        file.write(text)
    with whole(out / 'results.csv', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def table(rows):
    """The results as text: who is ready in time, the best first; then the others."""
    rows = sorted(rows, key=lambda row: (row['verdict'] != 'ok', -float(row['accuracy'] or 0)))
    return '\n'.join(
        f'{row["verdict"]:8} {row["accuracy"] or "":7} {row["seconds"] or "":>6} s '
        f'{row["megabytes"] or "":>5} MB  {row["entry"]}  {row["why"]}' for row in rows)


def entries(paths):
    """The Python files among `paths` and in the folders among them. Ends without any."""
    found = []
    for path in map(Path, paths):
        if not path.exists():
            sys.exit(f'There is no {path}: name a Python file, or a folder of them')
        found += sorted(path.glob('*.py')) if path.is_dir() else [path]
    if not found:
        sys.exit(f'There is no .py file in {", ".join(paths)}')
    return found


def main(arguments):
    """Judges entries; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='challenge.py', description=__doc__.splitlines()[0],
        epilog='What an entry is: assignments/challenge/README.md')
    parser.add_argument('net', nargs='+', help='a Python file, or a folder of them')
    parser.add_argument('--seconds', type=commands.number(float, 0), default=SECONDS,
                        help='for the whole job (%(default)s)')
    parser.add_argument('--memory', type=commands.number(int, 1), default=4000,
                        help='megabytes (%(default)s)')
    parser.add_argument('--out', type=Path, default=ROOT / 'build' / 'challenge',
                        help='folder of the table')
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with locked(options.out):  # two at once would also share the cores, and both be slow
        for entry in entries(options.net):
            print(f'== {entry} ==', flush=True)
            text = entry.read_bytes()
            keep(judge(entry.stem, text, options.seconds, options.memory), text, options.out)
    print(f'\n{table(read_table(options.out / "results.csv"))}\n\n'
          f'The table, and every file as it was judged: {options.out}')
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
