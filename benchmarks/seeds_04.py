"""Notebook 04's training of ResNet-18 and plain-18, with its own cells, from three seeds.

About five minutes on two cores. The notebook shows the result beside its own single runs.

    .venv/bin/python benchmarks/seeds_04.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # noqa: E402, F401  before mxnet, for its threads

from benchmarks.cells import notebook_names  # noqa: E402
from benchmarks.record import write  # noqa: E402

# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'def fit(net', 'class Plain(')


def main():
    names = notebook_names('04_fashion_mnist', CELLS)
    runs = {'plain-18': [], 'ResNet-18': []}
    for seed in (0, 1, 2):
        runs['ResNet-18'].append(names['fit'](names['ResNet'](10), seed))
        runs['plain-18'].append(names['fit'](names['ResNet'](10, block=names['Plain']), seed))
    write('seeds_04', runs=runs)


if __name__ == '__main__':
    main()
