"""Plain and residual nets of 20 and 56 layers, on all of Fashion-MNIST, longer than in notebook 01.

All 60,000 images at 14 px, as they are; batches of 128; SGD with momentum 0.9 and weight decay
1e-4; the learning rate rises to 0.1 during half an epoch, then falls along a cosine to 0. Two
processes share the work, each with a thread of its own; about two hours on two cores. What is
finished is kept: a second call goes on.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.long_01
"""
import itertools

import utils  # before mxnet, for its threads

from mxnet import gluon
from mxnet.lr_scheduler import CosineScheduler

from tools.record import take_no_arguments, write_jobs

SEEDS = (0, 1, 2)
EPOCHS = 10
RECIPE = {'resize': 14, 'batch_size': 128, 'learning_rate': 0.1, 'momentum': 0.9, 'wd': 1e-4,
          'warm_up_epochs': 0.5, 'augmentation': None}


def train(kind, depth, seed):
    """The history of one net."""
    from resnet import PlainBlock, ShortcutBlock, cifar_net

    train_data, test_data = utils.load_data_fashion_mnist(RECIPE['batch_size'], RECIPE['resize'])
    block = {'plain': PlainBlock, 'ResNet': ShortcutBlock}[kind]
    net = utils.init_net(cifar_net(depth, block), seed)
    steps = len(train_data)
    schedule = CosineScheduler(EPOCHS * steps, RECIPE['learning_rate'],
                               warmup_steps=int(RECIPE['warm_up_epochs'] * steps))
    trainer = gluon.Trainer(net.collect_params(), 'sgd',
                            {'lr_scheduler': schedule, 'momentum': RECIPE['momentum'],
                             'wd': RECIPE['wd']})
    return utils.train(train_data, test_data, net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer,
                       utils.try_gpu(), EPOCHS)


def main():
    take_no_arguments(__doc__)
    jobs = {f'{kind}-{depth}, seed {seed}': (kind, depth, seed)
            for seed, depth, kind in itertools.product(SEEDS, (56, 20), ('plain', 'ResNet'))}
    write_jobs(__file__, train, jobs, epochs=EPOCHS, recipe=RECIPE, seeds=SEEDS)


if __name__ == '__main__':
    main()
