"""Recorded results: a JSON file that says where its numbers come from."""
import datetime
import json
import os
import platform
from pathlib import Path

import mxnet as mx


def processor():
    info = Path('/proc/cpuinfo')  # not on macOS or Windows; on Arm without a model name
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(': ')[1] for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def write(name, command=None, versions=None, **results):
    """Write `results` to benchmarks/<name>.json, with command, date, machine and versions.

    command: None for `python benchmarks/<name>.py`. versions: of more than Python and MXNet.
    Returns the whole record.
    """
    record = {
        'command': command or f'python benchmarks/{name}.py',
        'date': datetime.date.today().isoformat(),
        'machine': f'{processor()}, OMP_NUM_THREADS={os.environ["OMP_NUM_THREADS"]}',
        'versions': {'python': platform.python_version(), 'mxnet': mx.__version__,
                     **(versions or {})},
        **results,
    }
    path = Path(__file__).with_name(f'{name}.json')
    path.write_text(json.dumps(record, indent=2) + '\n')
    print(f'wrote {path.relative_to(path.parent.parent)}')
    return record
