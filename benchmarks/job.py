"""A whole job for `benchmarks/bench.py`, from the first import to the last evaluation.

    .venv/bin/python benchmarks/job.py seed LIMIT
    .venv/bin/python benchmarks/job.py 04 SEED

The first runs the seed lesson's own cells as printed, which means on MXNet's own number of
threads, and gives up after LIMIT seconds; it prints as JSON {"steps": done, "of": all}, and once
it has ended test_acc as well. The second is notebook 04's training by its own cells; it prints
the last row of the history.
"""
import json
import sys
import time
from pathlib import Path

START = time.perf_counter()
ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
if sys.argv[1] == 'seed':  # its cells import mxnet first
    import mxnet  # noqa: F401
import utils  # noqa: E402

from benchmarks.cells import notebook_names  # noqa: E402
from benchmarks.seed_recipe import SEED, lesson_names  # noqa: E402
from benchmarks.seeds_04 import CELLS  # noqa: E402


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


def run_seed(limit):
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
    return names['fit'](names['ResNet'](10), seed)[-1]


if __name__ == '__main__':
    what, number = sys.argv[1], int(sys.argv[2])
    print(json.dumps(run_seed(number) if what == 'seed' else run_notebook_04(number)))
