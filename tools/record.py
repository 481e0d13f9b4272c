"""Recorded results: a JSON file that says where its numbers come from."""
import argparse
import datetime
import json
import os
import platform
from pathlib import Path

import mxnet as mx

from scripts.files import whole


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
