"""Plain and residual nets of nine depths, by the recipe of notebooks 01 and 02, for the site.

4,000 Fashion-MNIST images of 14 × 14 pixels, six epochs, three seeds. Two processes share the work,
each with a thread of its own; about 20 minutes on two cores. A second call goes on.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.depths_01
"""
import itertools

import utils  # before mxnet, for its threads

from tools.record import take_no_arguments, write_jobs

DEPTHS = (8, 14, 20, 26, 32, 38, 44, 50, 56)
SEEDS = (0, 1, 2)


def train(kind, depth, seed):
    """The history of one net."""
    from resnet import PlainBlock, ShortcutBlock, cifar_net

    train_data, test_data = utils.load_data_fashion_mnist(batch_size=128, resize=14,
                                                          train_size=4000, test_size=1000)
    block = {'plain': PlainBlock, 'ResNet': ShortcutBlock}[kind]
    return utils.fit(utils.init_net(cifar_net(depth, block), seed), train_data, test_data)


def main():
    take_no_arguments(__doc__)
    jobs = {f'{kind}-{depth}, seed {seed}': (kind, depth, seed)
            for seed, depth, kind in itertools.product(SEEDS, DEPTHS, ('plain', 'ResNet'))}
    write_jobs(__file__, train, jobs, depths=DEPTHS, seeds=SEEDS)


if __name__ == '__main__':
    main()
