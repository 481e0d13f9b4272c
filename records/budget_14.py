"""Notebook 14's question, asked of one machine: which net makes more of some seconds?

Its net and ResNet-18, both at 28 x 28 pixels, get as many images as the machine trains them on in
25, 75 and 225 seconds, no image twice before all were shown; the learning rate rises and falls
within them (`triangle`). On held-out images each net first chooses, for 75 seconds, between the
notebook's two optimizers and rates; then it trains on training images only, and is judged by the
test images. Some 25 minutes; let nothing else run meanwhile.

    OMP_NUM_THREADS=2 .venv/bin/python -m records.budget_14

Each run is written as soon as it is finished; a second call trains only what is missing, for as
many images as the first call found.
"""
import functools
import json
from pathlib import Path

import utils  # before mxnet, for its threads

from resnet import resnet18
from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

# The cells that it takes, by a line of each.
CELLS = ('class PooledBlock(', 'def images_a_second(', 'def triangle(', 'def mirrored(',
         'def accuracy(', 'def chosen(', 'def train_fast(')
NETS = ('ResNet-18', 'the new net')
SEEDS = {25: (0, 1, 2), 75: (0, 1, 2), 225: (0,)}  # of each budget, in seconds
CHOICES = {'sgd, 0.05': {'optimizer': 'sgd', 'peak': 0.05},
           'Nesterov, 0.2': {'optimizer': 'nag', 'peak': 0.2}}
CHOSEN_FOR, VALIDATION = 75, 5_000


@functools.cache
def names():
    return notebook_names('14_75_seconds', CELLS)


def new_net(net, seed):
    return utils.init_net(names()['fast_resnet']() if net == 'the new net' else resnet18(10), seed)


def measured_rates():
    """Images a second that each net is trained on, the first steps left out."""
    steps = {'ResNet-18': 20, 'the new net': 150}  # some fifteen seconds each, on a slow machine
    return {net: names()['images_a_second'](new_net(net, 0), 28, 128, steps[net]) for net in NETS}


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
    record = json.loads(path.read_text()) if path.exists() else {'runs': {}}
    runs, rates = record['runs'], record.get('images_a_second') or measured_rates()

    def fill(name, net, choice, budget, seed, test):
        if name not in runs:
            runs[name] = run(net, choice, int(budget * rates[net]), seed, test)
            print(f'{name}: {runs[name]}', flush=True)
            write(__file__, images_a_second=rates, chosen=chosen, runs=runs)

    chosen = {}
    for net in NETS:
        tried = {choice: f'{net}, {choice}, held out' for choice in CHOICES}
        for choice, name in tried.items():
            fill(name, net, choice, CHOSEN_FOR, 0, test=False)
        chosen[net] = max(tried, key=lambda choice: runs[tried[choice]]['accuracy'])
    for budget, seeds in SEEDS.items():
        for seed in seeds:
            for net in NETS:
                fill(f'{net}, {budget} seconds, seed {seed}', net, chosen[net], budget, seed,
                     test=True)


if __name__ == '__main__':
    main()
