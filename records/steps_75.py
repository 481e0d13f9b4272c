"""Notebook 14's way to its 75 seconds, one change at a time, by the notebook's own cells.

Each of STEPS trains on 55,000 training images, from three seeds, and is judged by the other 5,000,
as in search_04; then OTHERS, changes to the last step that did not help, or take one thing away,
from two seeds. The last step then trains on all 60,000, from five seeds, and is tested on the test
images. Some 75 minutes as two processes of one thread, on a machine where the lesson's ResNet-18
trains at 41 images a second.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.steps_75

Each run is written as soon as it is finished; a second call trains only what is missing.
"""
import functools

import utils  # before mxnet, for its threads

import numpy as np

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

# The cells that it takes, by a line of each.
CELLS = ('class PooledBlock(', 'def triangle(', 'def mirrored(', 'def accuracy(', 'def chosen(',
         'def train_fast(', 'STEPS = {')
TRAIN, VALIDATION = 55_000, 5_000
FIVE_BLOCKS = (16, 32, 64, 128, 256)
# What differs from the last step. By fewer or more epochs, all take about as long as it does.
OTHERS = {'never mirrored': {'augment': 'unchanged'},
          'labels not smooth': {'smoothing': 0},
          'moved by up to a pixel instead of mirrored': {'augment': 'moved'},
          'a fifth block, 6 epochs': {'blocks': FIVE_BLOCKS, 'epochs': 6}}


@functools.cache
def names():
    return notebook_names('14_75_seconds', CELLS)


def steps():
    """The notebook's STEPS, as JSON can hold them: functions by their names."""
    return {step: {key: getattr(value, '__name__', value) for key, value in settings.items()}
            for step, settings in names()['STEPS'].items()}


def moved(images):
    """Each of images (n, 28, 28) moved by -1, 0 or 1 pixels down and across, by chance."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    down, across = np.random.randint(0, 3, (2, len(images)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), axis=(1, 2))
    return windows[np.arange(len(images)), down, across]


def run(settings, seed, test=False):
    """One run, by train_fast's settings, and `blocks`: a list of one row, what it came to."""
    images, labels = utils.read_fashion_mnist('train', TRAIN + VALIDATION)
    train, held_out = slice(TRAIN), slice(TRAIN, TRAIN + VALIDATION)
    judge = images[held_out], labels[held_out]
    if test:
        train, judge = slice(None), utils.read_fashion_mnist('test')
    settings = dict(settings)
    net = names()['fast_resnet'](settings.pop('blocks', (16, 32, 64, 128)))
    for key in ('schedule', 'augment'):  # functions, which a record can only name
        settings[key] = {**names(), 'moved': moved}[settings[key]]
    net = utils.init_net(net, seed)
    history = names()['train_fast'](net, images[train], labels[train], **settings)
    return [{'images': sum(row['images'] for row in history), 'loss': history[-1]['loss'],
             'one_view': names()['accuracy'](net, *judge, views=1),
             'two_views': names()['accuracy'](net, *judge, views=2)}]


def main():
    take_no_arguments(__doc__)
    climbed = steps()
    last = list(climbed.values())[-1]
    others = {name: {**last, **change} for name, change in OTHERS.items()}
    jobs = {f'{name}, seed {seed}': (settings, seed)
            for seed in range(3) for name, settings in (climbed | others).items()
            if name in climbed or seed < 2}
    jobs |= {f'on the test images, seed {seed}': (last, seed, True) for seed in range(5)}
    write_jobs(__file__, run, jobs, keys=('images', 'loss', 'one_view', 'two_views'),
               steps=climbed, others=others)


if __name__ == '__main__':
    main()
