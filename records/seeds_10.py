"""Notebook 10's comparison, with its own cells: three seeds, four learning rates, two choices.

From each seed, for each choice of six old classes, a net is pretrained. Then every method learns
the four new classes from 10, 50 and 200 images a class at each learning rate. At the rate whose
mean over the seeds is best on held-out images it also learns the other choice of classes, with
four times the steps, and without flips or without augmentation and weight decay (with 10 labels
at all four rates, so that this, too, has a best rate of its own); the other ways to freeze take
frozen's rate. What is finished is kept: a second call goes on. Twenty minutes on two cores, which
share the runs.

A run has two rows, the second with the test images' accuracy in place of the held-out ones'.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.seeds_10
"""
import contextlib
import functools
import itertools
import json
from pathlib import Path

import utils  # noqa: F401  before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'arrays = load(', 'def augmented(', 'def new_net(',
         'def train_steps(', 'class Frozen(', 'def learn(', 'def best_rate(')
STEPS, LONGER = 200, 800
BN_METHODS = ('frozen by the trainer', 'frozen by grad_req')


@functools.cache
def names():
    with contextlib.redirect_stdout(None):
        return notebook_names('10_transfer_learning', CELLS)


@functools.cache
def parts(choice):
    """The images of a choice of classes."""
    return names()['divide'](names()['CHOICES'][choice], *names()['arrays'])


@functools.cache
def base(choice, seed):
    """A net that knows the old classes."""
    with contextlib.redirect_stdout(None):
        return names()['pretrain'](parts(choice), seed)


def train(method, labels, rate, seed, choice='first six', steps=STEPS, recipe='all'):
    """Two rows of one run: with the accuracy on the held-out images, and on the test images."""
    data = parts(choice)
    trained = None if method == 'from scratch' else base(choice, seed)
    net, row = names()['learn'](method, data, trained, labels, seed, rate, steps, recipe)
    return [row, {**row, 'test_acc': names()['accuracy'](net, *data['test'])}]


def jobs(settings):
    """{name of a run: its settings}, one for each seed: those of one seed stand together."""
    return {names()['run_name'](method, n, rate, seed, *rest): (method, n, rate, seed, *rest)
            for seed in names()['SEEDS'] for method, n, rate, *rest in settings}


def main():
    take_no_arguments(__doc__)
    methods, sizes = names()['METHODS'], names()['LABELS']
    grid = jobs(list(itertools.product(methods, sizes, names()['RATES'])))
    write_jobs(__file__, train, grid, steps=STEPS)

    runs = json.loads(Path(__file__).with_suffix('.json').read_text())['runs']
    rates = {(method, n): names()['best_rate'](runs, method, n)
             for method, n in itertools.product(methods, sizes)}
    best = [(method, n, rate) for (method, n), rate in rates.items()]
    more = [
        *[(*setting, 'last six', STEPS, 'all') for setting in best],
        *[(*setting, 'first six', STEPS, 'neither') for setting in best],
        *[(method, 10, rate, 'first six', STEPS, 'neither')
          for method in methods for rate in names()['RATES']],
        *[(*setting, 'first six', STEPS, 'no flips') for setting in best if setting[1] == 10],
        *[(*setting, 'first six', LONGER, 'all') for setting in best],
        *[(method, n, rates['frozen', n]) for method in BN_METHODS for n in sizes],
    ]
    write_jobs(__file__, train, grid | jobs(more), steps=STEPS)


if __name__ == '__main__':
    main()
