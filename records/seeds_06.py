"""Notebook 06's nets of 56 layers, every shortcut and every order, trained from three seeds.

On the notebook's own data, by the series' recipe; about twenty minutes on two cores. The orders
are trained with two learning rates, because they do not agree on the best.

    .venv/bin/python -m records.seeds_06
"""
import utils  # before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

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
    names, runs = notebook_names('06_shortcuts_and_preactivation', ('sizes = ',)), {}
    for seed in SEEDS:
        for name, learning_rate, variant in jobs:
            net = utils.init_net(cifar_resnet(56, **variant), seed)
            history = utils.fit(net, names['train_data'], names['test_data'],
                                learning_rate=learning_rate)
            row = {key: history[-1][key] for key in ('loss', 'train_acc', 'test_acc')}
            runs.setdefault(f'{name}, learning rate {learning_rate}', []).append(row)
            print(f'seed {seed}: {name}, {learning_rate}: {utils.final_errors(history)}',
                  flush=True)
    write(__file__, depth=56, seeds=SEEDS, runs=runs)


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
