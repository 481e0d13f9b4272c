"""Notebook 14's question, asked of one machine: which net makes more of some seconds?

Its net and ResNet-18, both at 28 x 28 pixels, get as many images as this machine trains them on in
25, 75 and 225 seconds, by the speed of the run before; no image comes twice before all were shown,
and the learning rate rises and falls within the run (`triangle`). First each net chooses, by
held-out images, between the notebook's two optimizers and rates; then it trains on training images
only, and is judged by the test images. Some 20 minutes; let nothing else run meanwhile.

    OMP_NUM_THREADS=2 .venv/bin/python -m records.budget_14

Each run is written as soon as it is finished; a second call trains only what is missing.
"""
import functools
import itertools
import json
from pathlib import Path

import utils  # before mxnet, for its threads

from resnet import resnet18
from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

# The cells that it takes, by a line of each.
CELLS = ('class PooledBlock(', 'def triangle(', 'def mirrored(', 'def accuracy(', 'def chosen(',
         'def train_fast(')
TRIED = {'ResNet-18': 12_600, 'the new net': 198_400}  # images a net is shown when it chooses
SEEDS = {25: (0, 1, 2), 75: (0, 1, 2), 225: (0,)}  # of each budget, in seconds
CHOICES = {'sgd, 0.05': {'optimizer': 'sgd', 'peak': 0.05},
           'Nesterov, 0.2': {'optimizer': 'nag', 'peak': 0.2}}
VALIDATION = 5_000


@functools.cache
def names():
    return notebook_names('14_75_seconds', CELLS)


def new_net(net, seed):
    return utils.init_net(names()['fast_resnet']() if net == 'the new net' else resnet18(10), seed)


def run(net, choice, images_shown, seed, test):
    """A row: what one run came to; judged by the test images, or by held-out ones."""
    images, labels = utils.read_fashion_mnist('train', 60_000)
    kept = slice(60_000 if test else 60_000 - VALIDATION)
    judge = utils.read_fashion_mnist('test') if test else (images[kept.stop:], labels[kept.stop:])
    epochs = -(-images_shown // kept.stop)
    part = slice(images_shown // epochs)
    trained = new_net(net, seed)
    history = names()['train_fast'](
        trained, images[part], labels[part], epochs=epochs, schedule=names()['triangle'],
        smoothing=0, augment=names()['unchanged'], skip=0, **CHOICES[choice])
    return {'images': sum(row['images'] for row in history),
            'seconds': sum(row['time'] for row in history), 'loss': history[-1]['loss'],
            'accuracy': names()['accuracy'](trained, *judge, views=1)}


def main():
    take_no_arguments(__doc__)
    path = Path(__file__).with_suffix('.json')
    runs = json.loads(path.read_text())['runs'] if path.exists() else {}
    chosen, before = {}, {}  # each net's choice, and the run of it that was last

    def fill(name, net, choice, images, seed, test):
        if name not in runs:
            runs[name] = run(net, choice, images, seed, test)
            print(f'{name}: {runs[name]}', flush=True)
            write(__file__, chosen=chosen, runs=runs)
        before[net] = runs[name]

    for net, images in TRIED.items():
        tried = {choice: f'{net}, {choice}, held out' for choice in CHOICES}
        for choice, name in tried.items():
            fill(name, net, choice, images, 0, test=False)
        chosen[net] = max(tried, key=lambda choice: runs[tried[choice]]['accuracy'])
    for budget, seeds in SEEDS.items():
        for seed, net in itertools.product(seeds, TRIED):
            images = int(budget * before[net]['images'] / before[net]['seconds'])
            fill(f'{net}, {budget} seconds, seed {seed}', net, chosen[net], images, seed,
                 test=True)


if __name__ == '__main__':
    main()
