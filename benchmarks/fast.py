"""Notebook 14's job over five seeds: accuracy, seconds, and when it passes 0.85 and 0.90.

    .venv/bin/python -m benchmarks.fast

Beside notebook 04's job and the rate at which the lesson's ResNet-18 trains, before and after, so
that seconds of a slower machine can be compared. Seven minutes where that rate is 140 images/s.
Writes fast.json, and results.md again, which quotes it.
"""
import subprocess
import sys

import utils

from benchmarks.bench import ROOT, run
from tools.record import take_no_arguments, write

SEEDS = range(5)


def measure_rate():
    return run('rate', 18, 96, 64)[0]['images_a_second']


def main():
    rates, (slow, seconds), runs = [measure_rate()], run('job', '04', 0), []
    for seed in utils.progress(SEEDS, "notebook 14's job", 'seed'):
        runs.append({'seed': seed, **run('job', '14', seed)[0]})
        print(runs[-1], flush=True)
    rates.append(measure_rate())
    write(__file__, rates=rates, runs=runs,
          beside={'notebook': '04', 'test_acc': slow['test_acc'], 'seconds': seconds})
    subprocess.run([sys.executable, '-m', 'benchmarks.bench', 'report'], cwd=ROOT, check=True)


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
