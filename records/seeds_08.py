"""Notebook 08's eight nets, trained with its own cells: six learning rates, then four seeds.

Seed 0 at every rate; then seeds 1 to 3 at each net's best, that with the lowest training error.
About twenty-five minutes as two processes of one thread.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.seeds_08

Each run is written as soon as it is finished; a second call trains only what is missing.
"""
import functools
import json
from pathlib import Path

import utils  # noqa: F401  before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

# The cells that it takes, by a line of each.
CELLS = ('def conv(', 'class Shortcut(', 'def depthwise(', 'def vgg(', 'def xception(',
         'def small_net(', 'budget = ', 'def train_and_test(')
SEEDS, RATES = (0, 1, 2, 3), (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)


@functools.cache
def names():
    return notebook_names('08_inception_and_xception', CELLS)


def train(name, rate, seed):
    """The history of one net; its last test accuracy is that on all test images."""
    return names()['train_and_test'](names()['new_net'](name, seed), rate)


def jobs(name, rate, seeds):
    return {f'{name}, learning rate {rate}, seed {seed}': (name, rate, seed) for seed in seeds}


def main():
    take_no_arguments(__doc__)
    at_every_rate = {}
    for name in names()['modules']:
        for rate in RATES:
            at_every_rate.update(jobs(name, rate, SEEDS[:1]))
    write_jobs(__file__, train, at_every_rate)
    runs = json.loads(Path(__file__).with_suffix('.json').read_text())['runs']
    best = {name: max(RATES, key=lambda rate: runs[f'{name}, learning rate {rate}, seed 0'][-1]
                      ['train_acc']) for name in names()['modules']}
    everything = dict(at_every_rate)
    for name, rate in best.items():
        everything.update(jobs(name, rate, SEEDS))
    write_jobs(__file__, train, everything, rates=RATES, seeds=SEEDS, best_rates=best)


if __name__ == '__main__':
    main()
