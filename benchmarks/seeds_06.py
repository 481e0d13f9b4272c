"""Notebook 06's nets of 56 layers, every shortcut and every order, trained from three seeds.

With the notebook's own training cell; about twenty minutes on two cores. The orders are trained
with two learning rates, because they do not agree on the best.

    .venv/bin/python benchmarks/seeds_06.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # noqa: E402  before mxnet, for its threads

from benchmarks.cells import notebook_names  # noqa: E402
from benchmarks.record import write  # noqa: E402

SEEDS = (0, 1, 2)


def main():
    from resnet import ORDERS, SHORTCUTS, cifar_resnet

    variants = {shortcut: {'shortcut': shortcut} for shortcut in SHORTCUTS}
    variants['exclusive gate, b = 0'] = {'shortcut': 'exclusive gate', 'gate_bias': 0.}
    variants['shortcut-only gate, b = 0'] = {'shortcut': 'shortcut-only gate', 'gate_bias': 0.}
    jobs = [(name, 0.02, variant) for name, variant in variants.items()]
    jobs += [(order, learning_rate, {'order': order})
             for learning_rate in (0.02, 0.1) for order in ORDERS
             if (order, learning_rate) != ('original', 0.02)]  # that is 'identity' above
    fit, runs = notebook_names('06_shortcuts_and_preactivation', ('def fit(net',))['fit'], {}
    for seed in SEEDS:
        for name, learning_rate, variant in jobs:
            history = fit(cifar_resnet(56, **variant), seed, learning_rate)
            row = {key: history[-1][key] for key in ('loss', 'train_acc', 'test_acc')}
            runs.setdefault(f'{name}, learning rate {learning_rate}', []).append(row)
            print(f'seed {seed}: {name}, {learning_rate}: {utils.final_errors(history)}',
                  flush=True)
    write('seeds_06', depth=56, seeds=SEEDS, runs=runs)


if __name__ == '__main__':
    main()
