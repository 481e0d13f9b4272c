"""Notebook 12's eight nets on one budget, and better recipes for some of them, with its own cells.

Seed 0 at every rate; then seeds 1 and 2 at each net's best, that with the lowest training error,
which the recipes take, too; and two larger rates for the first recipe and for the two long ones,
with all five steps and with the first alone. 50 minutes as two processes of one thread.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.after_12

Each run is written as soon as it is finished; a second call trains only what is missing.
"""
import functools
import itertools
import json
from pathlib import Path

import utils  # noqa: F401  before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

# The cells that it takes, by a line of each.
CELLS = ('def conv(', 'def resnext(', 'class Gate(', 'class Sometimes(', 'class Dense(',
         'def convnext(', 'class Attention(', 'def small_net(', 'nets = {', 'def train_net(',
         'class Changed:', 'RECIPES = {')
SEEDS, RATES, ADAM_RATES = (0, 1, 2), (0.01, 0.03, 0.1, 0.3), (0.001, 0.003)
LARGER_RATES = (0.1, 0.3)  # than ResNet's best
YOUNG = 'ConvNeXt', 'Transformer'


@functools.cache
def names():
    return notebook_names('12_after_resnet', CELLS)


def train(net, recipe, rate, seed):
    """The history of one run; its last test accuracy is that on all test images.

    A net that diverges guesses: its only row has no loss, and accuracies of a tenth.
    """
    try:
        if recipe == 'as before':
            return names()['train_net'](net, seed, rate)
        optimizer = 'adam' if recipe == 'Adam' else 'sgd'
        return names()['train_by'](net, recipe, seed, rate, optimizer)
    except FloatingPointError:
        return [{'step': 0, 'loss': None, 'train_acc': 0.1, 'test_acc': 0.1}]


def jobs(settings):
    """{name of a run: its settings}."""
    return {f'{net}, {recipe}, rate {rate}, seed {seed}': (net, recipe, rate, seed)
            for net, recipe, rate, seed in settings}


def main():
    take_no_arguments(__doc__)
    nets, recipes, last = (names()[name] for name in ('nets', 'RECIPES', 'ALL_FIVE'))
    longest = list(recipes)[-1]
    grid = jobs((net, 'as before', rate, 0) for net, rate in itertools.product(nets, RATES))
    write_jobs(__file__, train, grid)
    runs = json.loads(Path(__file__).with_suffix('.json').read_text())['runs']
    best = {net: max(RATES, key=lambda rate: runs[f'{net}, as before, rate {rate}, seed 0'][-1]
                     ['train_acc']) for net in nets}
    wanted = [*[(net, 'as before', best[net]) for net in nets],
              *[('ResNet', recipe, best['ResNet']) for recipe in recipes],
              *[('ResNet', recipe, rate) for recipe in ('as before', '60 epochs', longest)
                for rate in LARGER_RATES],
              ('SE', longest, best['SE']),
              *[(net, last, best[net]) for net in YOUNG],
              *[(net, 'Adam', rate) for net in ('ResNet', *YOUNG) for rate in ADAM_RATES]]
    everything = jobs((*setting, seed) for setting in wanted for seed in SEEDS)
    write_jobs(__file__, train, grid | everything, rates=RATES, adam_rates=ADAM_RATES, seeds=SEEDS,
               best_rates=best)


if __name__ == '__main__':
    main()
