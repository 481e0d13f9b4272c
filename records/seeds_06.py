"""Notebook 06's nets of 56 layers: every shortcut and every order, at several learning rates.

On the notebook's own data, by the series' recipe. Shortcuts: seed 0 at three rates, then seeds 1
and 2 at each one's best, that with the lowest training error. Orders, the paper's five and the
original without its last ReLU: three seeds at two rates. About 45 minutes as two processes of one
thread.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.seeds_06

Each run is written as soon as it is finished; a second call trains only what is missing.
"""
import json
from pathlib import Path

import utils  # before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

SEEDS, RATES, RATES_OF_ORDERS = (0, 1, 2), (0.005, 0.02, 0.1), (0.02, 0.1)
FREE_PATH = {'original, free path': ('conv BN ReLU conv BN', '')}  # as in the notebook


def train(variant, rate, seed):
    """The history of one net."""
    from resnet import ORDERS, cifar_resnet

    ORDERS.update(FREE_PATH)
    names = notebook_names('06_shortcuts_and_preactivation', ('sizes = ',))
    net = utils.init_net(cifar_resnet(56, **variant), seed)
    return utils.fit(net, names['train_data'], names['test_data'], learning_rate=rate)


def jobs(variants, rates, seeds):
    return {f'{name}, learning rate {rate}, seed {seed}': (variant, rate, seed)
            for seed in seeds for name, variant in variants.items() for rate in rates}


def main():
    from resnet import ORDERS, SHORTCUTS

    take_no_arguments(__doc__)
    shortcuts = {shortcut: {'shortcut': shortcut} for shortcut in SHORTCUTS}
    shortcuts.update({f'{gate}, b = 0': {'shortcut': gate, 'gate_bias': 0.}
                      for gate in ('exclusive gate', 'shortcut-only gate')})
    rates = {name: RATES for name in shortcuts}
    rates['dropout'] = RATES[:1]  # at 0.1 a running variance becomes infinite, after minutes
    first = {}
    for name, variant in shortcuts.items():
        first.update(jobs({name: variant}, rates[name], SEEDS[:1]))
    write_jobs(__file__, train, first)
    runs = json.loads(Path(__file__).with_suffix('.json').read_text())['runs']
    best = {name: max(rates[name], key=lambda rate: runs[f'{name}, learning rate {rate}, seed 0']
                      [-1]['train_acc']) for name in shortcuts}
    for name, rate in best.items():
        first.update(jobs({name: shortcuts[name]}, [rate], SEEDS))
    first.update(jobs({'identity': {}}, RATES_OF_ORDERS, SEEDS))  # it is the original order, too
    orders = {order: {'order': order} for order in (ORDERS | FREE_PATH) if order != 'original'}
    write_jobs(__file__, train, {**first, **jobs(orders, RATES_OF_ORDERS, SEEDS)},
               depth=56, rates=rates, seeds=SEEDS, best_rates=best)


if __name__ == '__main__':
    main()
