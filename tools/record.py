"""Recorded results: a JSON file that says where its numbers come from."""
import argparse
import datetime
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import utils  # before mxnet, for its threads

import mxnet as mx

from scripts.files import whole

HEADER = ('command', 'date', 'machine', 'versions')  # what `write` says of every record


def processor():
    """The processor's name, as far as the system tells it."""
    info = Path('/proc/cpuinfo')  # not on macOS or Windows; on Arm without a model name
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(': ')[1] for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def take_no_arguments(text):
    """Ends a command that has no arguments: by `text` for --help, by an error for any other."""
    argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()


def write(script, name=None, command=None, versions=None, **results):
    """Write `results` beside `script`, as <name>.json, with command, date, machine and versions.

    script: the file that measured, `__file__`. name: None for the script's own. command: None for
    `python -m <folder>.<script>`. versions: of more than Python and MXNet. Returns the record.
    """
    script = Path(script).resolve()
    record = {
        'command': command or f'python -m {script.parent.name}.{script.stem}',
        'date': datetime.date.today().isoformat(),
        'machine': f'{processor()}, OMP_NUM_THREADS={os.environ["OMP_NUM_THREADS"]}',
        'versions': {'python': platform.python_version(), 'mxnet': mx.__version__,
                     **(versions or {})},
        **results,
    }
    path = script.with_name(f'{name or script.stem}.json')
    with whole(path) as file:
        file.write(json.dumps(record, indent=2) + '\n')
    print(f'wrote {path.parent.name}/{path.name}')
    return record


def write_jobs(script, train, jobs, keys=('step', 'loss', 'train_acc', 'test_acc'), **results):
    """Write `results` and `runs`, {name of the job: history}, of jobs that two processes share.

    train: a function of `script`, called with the arguments in jobs, {name: arguments}; it returns
    a history, a list of dicts, of which `keys` are kept. Each run is written as soon as it is
    finished, and a second call trains only what is missing; what the record held besides stays.
    """
    path = Path(script).with_suffix('.json')
    record = json.loads(path.read_text()) if path.exists() else {'runs': {}}
    runs = record.pop('runs')
    for key in HEADER:
        record.pop(key, None)
    record.update(results)
    with ProcessPoolExecutor(2, get_context('spawn')) as pool:
        futures = {pool.submit(train, *job): name for name, job in jobs.items()
                   if name not in runs}
        for future in as_completed(futures):
            history, name = future.result(), futures[future]
            said = utils.final_errors(history) if 'train_acc' in keys else history[-1]
            print(f'{name}: {said}', flush=True)
            runs[name] = [{key: row[key] for key in keys} for row in history]
            wanted = [name for name in jobs if name in runs]  # first, and in this order
            write(script, **record, runs={name: runs[name] for name in [*wanted, *runs]})
