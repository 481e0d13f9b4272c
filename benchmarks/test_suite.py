"""`make test` end to end: how long it takes, and its ten slowest items.

    .venv/bin/python -m benchmarks.test_suite

Writes test_suite.json, and results.md again, which quotes it.
"""
import re
import subprocess
import sys
import time
from pathlib import Path

import utils  # noqa: F401  before mxnet, for its threads

from tools.record import take_no_arguments, write

ROOT = Path(__file__).resolve().parent.parent

# As pytest prints them: "104.85s call     notebooks/02_residual_block.ipynb::Cell 18"
SLOW = re.compile(r'^ *([\d.]+)s (call|setup|teardown) +(.*)$')


def slowest(lines):
    """The items under pytest's heading "slowest 10 durations", as (seconds, phase, name)."""
    found = [SLOW.match(line) for line in lines]
    return [(float(seconds), phase, name.strip())
            for seconds, phase, name in (one.groups() for one in found if one)]


def main():
    start, lines = time.perf_counter(), []
    with subprocess.Popen(['make', 'test'], cwd=ROOT, text=True, stdout=subprocess.PIPE) as suite:
        for line in suite.stdout:
            print(line, end='', flush=True)
            lines.append(line.rstrip())
    if suite.returncode:
        sys.exit('make test failed, so nothing is recorded')
    write(__file__, minutes=(time.perf_counter() - start) / 60, result=lines[-1].strip('= '),
          slowest=slowest(lines))
    subprocess.run([sys.executable, '-m', 'benchmarks.bench', 'report'], cwd=ROOT, check=True)


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
