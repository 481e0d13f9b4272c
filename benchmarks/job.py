"""A whole job for `benchmarks/bench.py`, from the first import to the last evaluation.

    .venv/bin/python -m benchmarks.job original LIMIT
    .venv/bin/python -m benchmarks.job 04 SEED
    .venv/bin/python -m benchmarks.job 14 SEED

The first runs the original lesson's own cells as printed, which means on MXNet's own number of
threads, and gives up after LIMIT seconds; it prints as JSON {"steps": done, "of": all}, and once
it has ended test_acc as well. The second is notebook 04's training by its own cells; it prints
the last row of the history. The third is notebook 14's, in the last of its steps, on all training
images: {"test_acc", "seconds" from Python's start to the end of the last evaluation, "reached":
{accuracy: seconds}}. When it passes an accuracy is seen at the end of an epoch, by an evaluation
whose time is not counted.
"""
import json
import sys
import time

START = time.perf_counter()
if sys.argv[1] == 'original':  # its cells import mxnet first
    import mxnet  # noqa: F401
import utils

import numpy as np

from records import seeds_04, steps_75
from records.original_lesson import SEED, lesson_names
from tools.notebook import notebook_names


class Limited:
    """Batches, until the time is up: then TimeoutError. `steps` counts them."""

    def __init__(self, batches, limit):
        self.batches, self.limit, self.steps = batches, limit, 0

    def __iter__(self):
        for batch in self.batches:
            if time.perf_counter() - START > self.limit:
                raise TimeoutError
            yield batch
            self.steps += 1


def run_original(limit):
    result, train = {}, utils.train

    def limited_train(train_data, *args, **kwargs):
        limited = Limited(train_data, limit)
        try:
            result['test_acc'] = train(limited, *args, **kwargs)[-1]['test_acc']
        except TimeoutError:
            pass
        result.update({'steps': limited.steps, 'of': len(train_data)})

    utils.train = limited_train
    utils.seed_everything(SEED)
    lesson_names(1, 2, 3, 4, 5, 6)
    return result


def run_notebook_04(seed):
    names = notebook_names('04_fashion_mnist', seeds_04.CELLS[:2])
    return names['train_resnet'](names['ResNet'](10), seed)[-1]


def run_notebook_14(seed):
    names, test = steps_75.names(), utils.read_fashion_mnist('test')
    net = utils.init_net(names['fast_resnet'](), seed)
    settings = list(names['STEPS'].values())[-1]
    images, labels = utils.read_fashion_mnist('train')
    start = time.perf_counter()
    history = names['train_fast'](net, images, labels, **settings, judge=test)
    end = time.perf_counter()
    test_acc = names['accuracy'](net, *test)
    seconds = start - START + np.cumsum([row['time'] for row in history])
    reached = {str(level): next((second for second, row in zip(seconds, history, strict=True)
                                 if row['acc'] >= level), None) for level in (0.85, 0.9)}
    return {'test_acc': test_acc, 'seconds': seconds[-1] + time.perf_counter() - end,
            'reached': reached}


JOBS = {'original': run_original, '04': run_notebook_04, '14': run_notebook_14}

if __name__ == '__main__':
    print(json.dumps(JOBS[sys.argv[1]](int(sys.argv[2]))))
