"""Which recipe makes the most of 75 s? Notebook 04's, changed in one thing after another.

    .venv/bin/python -m records.search_04

About 40 minutes on two cores. Each recipe trains on (some of) 55,000 of the training images and
is judged by the other 5,000. Only the winner, over three seeds, is then tested on the 10,000 test
images, from five seeds. One process a run, so that its seconds are those of a whole job. Runs
already in search_04.json are not repeated.
"""
import json
import subprocess
import sys
import time
from pathlib import Path

import utils  # before mxnet, for its threads

import numpy as np
from mxnet import gluon, init, nd
from mxnet.gluon import nn
from mxnet.lr_scheduler import CosineScheduler

from resnet import ResNet
from tools.record import take_no_arguments, write

TRAIN, VALIDATION = 55_000, 5_000
# sizes: of the images, one an epoch. warmup, final: shares of the steps and of the learning rate.
BASE = {'images': 30_000, 'sizes': [32, 32], 'batch': 128, 'learning_rate': 0.05,
        'optimizer': 'sgd', 'momentum': 0.9, 'wd': 0., 'smoothing': 0., 'flip': False,
        'stem': 'lesson', 'warmup': 0.1, 'final': 0.05}
TOGETHER = {'wd': 5e-4, 'warmup': 0.25, 'final': 0.01}
RECIPES = {
    'base': {},
    "the lesson's batch and no momentum": {'images': 20_000, 'batch': 64, 'momentum': 0.},
    'learning rate 0.02': {'learning_rate': 0.02},
    'learning rate 0.1': {'learning_rate': 0.1},
    'batch 64, learning rate 0.02': {'images': 20_000, 'batch': 64, 'learning_rate': 0.02},
    'batch 256, learning rate 0.1': {'images': 40_000, 'batch': 256, 'learning_rate': 0.1},
    'Nesterov': {'optimizer': 'nag'},
    'weight decay 0.0005': {'wd': 5e-4},
    'label smoothing 0.1': {'smoothing': 0.1},
    'flipped at random': {'flip': True},
    'warm-up over a quarter of the steps': {'warmup': 0.25},
    '28 px': {'images': 35_000, 'sizes': [28, 28]},
    '36 px': {'images': 27_500, 'sizes': [36, 36]},
    '40 px': {'images': 25_000, 'sizes': [40, 40]},
    '48 px': {'images': 15_000, 'sizes': [48, 48]},
    'first 24 px, then 40 px': {'images': 30_000, 'sizes': [24, 40]},
    '55,000 images once': {'images': 55_000, 'sizes': [32]},
    '20,000 images three times': {'images': 20_000, 'sizes': [32, 32, 32]},
    "the paper's stem, 28 px": {'images': 30_000, 'sizes': [28, 28], 'stem': 'paper'},
    'stem 3 × 3, stride 2, no pooling, 28 px': {'images': 12_500, 'sizes': [28, 28],
                                                'stem': 'small'},
    # What helped, together.
    'together, 28 px': {**TOGETHER, 'images': 30_000, 'sizes': [28, 28]},
    'together, 32 px': {**TOGETHER, 'images': 30_000},
    "together, the paper's stem, 28 px": {**TOGETHER, 'images': 32_500, 'sizes': [28, 28],
                                          'stem': 'paper'},
    "together, the paper's stem, 28 px, learning rate 0.1": {
        **TOGETHER, 'images': 32_500, 'sizes': [28, 28], 'stem': 'paper', 'learning_rate': 0.1},
}
BUDGET = 75.1  # seconds of a whole job: the original lesson's epoch on its GPU
FINALISTS = 3  # best recipes that are run from two more seeds


class Batches:
    """Shuffled batches of images, resized and perhaps flipped, with a size for each epoch."""

    def __init__(self, images, labels, batch, sizes, flip):
        self.images, self.labels, self.batch, self.flip = images, labels, batch, flip
        self.sizes = iter(sizes)

    def __len__(self):
        return len(self.images) // self.batch

    def __iter__(self):
        size, order = next(self.sizes), np.random.permutation(len(self.images))
        for start in range(0, len(self) * self.batch, self.batch):
            chosen = order[start:start + self.batch]
            images = self.images[chosen]
            if self.flip:
                turned = np.random.rand(len(images)) < 0.5
                images[turned] = images[turned, :, ::-1]
            yield utils.as_input(images, size), nd.array(self.labels[chosen], dtype='int32')


def new_net(stem):
    net = ResNet(10)
    convolution, first = nn.HybridSequential(), nn.HybridSequential()
    if stem == 'paper':
        convolution.add(nn.Conv2D(64, 7, strides=2, padding=3, use_bias=False), nn.BatchNorm(),
                        nn.Activation('relu'))
        first.add(nn.MaxPool2D(3, strides=2, padding=1), *net.net[1][1:])
    elif stem == 'small':
        convolution.add(nn.Conv2D(64, 3, strides=2, padding=1, use_bias=False), nn.BatchNorm(),
                        nn.Activation('relu'))
        first.add(*net.net[1][1:])
    else:
        return net
    whole = nn.HybridSequential()
    whole.add(convolution, first, *net.net[2:])
    return whole


def smoothed(smoothing):
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False)
    return lambda out, y: cross_entropy(out, (1 - smoothing) * nd.one_hot(y, 10) + smoothing / 10)


def train(recipe, seed, part):
    """Train and print the accuracy on part, 'validation' or 'test', after the last epoch."""
    recipe = BASE | recipe
    utils.seed_everything(seed)
    images, labels = utils.read_fashion_mnist('train', TRAIN + VALIDATION)
    sizes, batch = recipe['sizes'], recipe['batch']
    train_data = Batches(images[:recipe['images']], labels[:recipe['images']], batch, sizes,
                         recipe['flip'])
    others = (utils.read_fashion_mnist('test') if part == 'test'
              else (images[TRAIN:], labels[TRAIN:]))
    others = [(utils.as_input(others[0][i:i + batch], sizes[-1]),
               nd.array(others[1][i:i + batch], dtype='int32'))
              for i in range(0, len(others[0]), batch)]
    net = new_net(recipe['stem'])
    net.initialize(init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    steps = len(sizes) * len(train_data)
    schedule = CosineScheduler(steps, recipe['learning_rate'],
                               final_lr=recipe['final'] * recipe['learning_rate'],
                               warmup_steps=int(recipe['warmup'] * steps))
    trainer = gluon.Trainer(net.collect_params(), recipe['optimizer'], {
        'lr_scheduler': schedule, 'momentum': recipe['momentum'], 'wd': recipe['wd']})
    history = utils.train(train_data, others, net, smoothed(recipe['smoothing']), trainer,
                          utils.try_gpu(), len(sizes))
    print(history[-1]['test_acc'])


def run(name, seed, part):
    start = time.perf_counter()
    done = subprocess.run([sys.executable, '-m', __spec__.name, name, str(seed), part], text=True,
                          stdout=subprocess.PIPE)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f'{name}, seed {seed}, failed; its own words are above')
    accuracy = float(done.stdout.splitlines()[-1])
    print(f'{name}, seed {seed}, {part}: {accuracy}, {seconds:.1f} s', flush=True)
    return {'recipe': name, 'seed': seed, f'{part}_acc': accuracy, 'seconds': seconds}


def best(runs, count):
    """The recipes with the highest mean validation accuracy that keep within the budget."""
    by_recipe = {}
    for one in runs:
        by_recipe.setdefault(one['recipe'], []).append(one)
    means = {name: np.mean([one['validation_acc'] for one in same])
             for name, same in by_recipe.items()
             if max(one['seconds'] for one in same) <= BUDGET}
    return sorted(means, key=means.get, reverse=True)[:count]


def main():
    path = Path(__file__).with_suffix('.json')
    old = json.loads(path.read_text()) if path.is_file() else {'runs': []}
    runs = [one for one in old['runs'] if old['base'] == BASE
            and old['recipes'][one['recipe']] == RECIPES.get(one['recipe'])]

    def run_once(name, seed, part='validation'):
        if not any(one['recipe'] == name and one['seed'] == seed and f'{part}_acc' in one
                   for one in runs):
            runs.append(run(name, seed, part))
            write(__file__, base=BASE, recipes=RECIPES, runs=runs)

    for name in RECIPES:
        run_once(name, 0)
    validated = [one for one in runs if 'validation_acc' in one]
    finalists = best([one for one in validated if one['seed'] == 0], FINALISTS)
    for name in finalists:
        for seed in (1, 2):
            run_once(name, seed)
    (winner,) = best([one for one in runs
                      if one['recipe'] in finalists and 'validation_acc' in one], 1)
    for seed in range(5):
        run_once(winner, seed, 'test')


if __name__ == '__main__':
    if sys.argv[1:2] and sys.argv[1] in RECIPES:
        train(RECIPES[sys.argv[1]], int(sys.argv[2]), sys.argv[3])
    else:
        take_no_arguments(__doc__)
        main()
