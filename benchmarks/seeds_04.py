"""Notebook 04's training of ResNet-18 and plain-18, with its own cells, from three seeds.

About five minutes on two cores. The notebook shows the result beside its own single runs.

    .venv/bin/python benchmarks/seeds_04.py
"""
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # noqa: E402  before mxnet, for its threads

from benchmarks.record import write  # noqa: E402

# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'def fit(net', 'class Plain(')


def notebook_names():
    """What the notebook's cells define, without the training that is in other cells."""
    from mxnet import gluon, init
    from mxnet.gluon import nn
    from mxnet.lr_scheduler import CosineScheduler

    import resnet

    names = {'utils': utils, 'gluon': gluon, 'init': init, 'nn': nn, 'ResNet': resnet.ResNet,
             'CosineScheduler': CosineScheduler}
    notebook = nbformat.read(ROOT / 'notebooks' / '04_fashion_mnist.ipynb', as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == 'code' and any(line in cell.source for line in CELLS):
            exec(cell.source, names)
    return names


def main():
    names = notebook_names()
    runs = {'plain-18': [], 'ResNet-18': []}
    for seed in (0, 1, 2):
        runs['ResNet-18'].append(names['fit'](names['ResNet'](10), seed))
        runs['plain-18'].append(names['fit'](names['ResNet'](10, block=names['Plain']), seed))
    write('seeds_04', runs=runs)


if __name__ == '__main__':
    main()
