"""A whole job for `benchmarks/bench.py`, from the first import to the last evaluation.

    .venv/bin/python -m benchmarks.job original LIMIT
    .venv/bin/python -m benchmarks.job 04 SEED

The first runs the original lesson's own cells as printed, which means on MXNet's own number of
threads, and gives up after LIMIT seconds; it prints as JSON {"steps": done, "of": all}, and once
it has ended test_acc as well. The second is notebook 04's training by its own cells; it prints
the last row of the history.
"""
import json
import sys
import time

START = time.perf_counter()
if sys.argv[1] == 'original':  # its cells import mxnet first
    import mxnet  # noqa: F401
import utils

from records.original_lesson import SEED, lesson_names
from records.seeds_04 import CELLS
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
    names = notebook_names('04_fashion_mnist', CELLS[:2])
    return names['train_resnet'](names['ResNet'](10), seed)[-1]


if __name__ == '__main__':
    what, number = sys.argv[1], int(sys.argv[2])
    print(json.dumps(run_original(number) if what == 'original' else run_notebook_04(number)))
