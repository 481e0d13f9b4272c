"""Notebook 10's comparison, with its own cells: three seeds, four learning rates, two choices.

For each choice of six old classes a net is pretrained from each seed. Then every method learns
the four new classes from 10, 50 and 200 images a class at each learning rate; the rate whose mean
over the seeds is best on held-out images is also run for the other choice of classes and, from
scratch and frozen, for four times as many steps. The other ways to freeze run at frozen's rate
only. About fifteen minutes on one core.

    .venv/bin/python -m records.seeds_10
"""
import contextlib
import itertools
import time

import utils  # before mxnet, for its threads

import numpy as np

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'arrays = load(', 'def new_net(', 'def train_steps(',
         'def learn(')
SEEDS, RATES, STEPS = (0, 1, 2), (0.01, 0.03, 0.1, 0.3), 200
BN_METHODS = ('frozen by the trainer', 'frozen by grad_req')  # for the first choice only
LONGER_METHODS = ('from scratch', 'frozen')  # also with four times the steps


def run(names, data, bases, method, labels, rate, steps):
    """One row of the record: accuracies on held-out and test images, one for each seed."""
    row = {'method': method, 'labels': labels, 'learning_rate': rate, 'steps': steps,
           'held_out': [], 'test': []}
    for seed in SEEDS:
        net = names['learn'](method, data, bases[seed], labels, seed, rate, steps)
        row['held_out'].append(round(names['accuracy'](net, *data['held out']), 5))
        row['test'].append(round(names['accuracy'](net, *data['test']), 5))
        del net
        utils.free_memory()
    print(f'{time.process_time():6.0f} s {method}, {labels} labels, rate {rate}, {steps} steps: '
          f'test {np.mean(row["test"]):.3f}', flush=True)
    return row


def main():
    names = notebook_names('10_transfer_learning', CELLS)
    runs, rates = {}, {}
    for choice, new in names['CHOICES'].items():
        data = names['divide'](new, *names['arrays'])
        with contextlib.redirect_stdout(None):
            bases = [names['pretrain'](data, seed) for seed in SEEDS]
        rows = runs[choice] = []
        for method, labels in itertools.product(names['METHODS'], names['LABELS']):
            if choice == 'first six':
                tried = [run(names, data, bases, method, labels, rate, STEPS) for rate in RATES]
                rates[method, labels] = max(tried, key=lambda row: np.mean(row['held_out']))[
                    'learning_rate']
                rows += tried
                if method in LONGER_METHODS:
                    rows.append(run(names, data, bases, method, labels, rates[method, labels],
                                    4 * STEPS))
            else:
                rows.append(run(names, data, bases, method, labels, rates[method, labels], STEPS))
        if choice == 'first six':
            rows += [run(names, data, bases, method, labels, rates['frozen', labels], STEPS)
                     for method, labels in itertools.product(BN_METHODS, names['LABELS'])]
    write(__file__, seeds=SEEDS, steps=STEPS, runs=runs)


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
