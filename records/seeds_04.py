"""Notebook 04's training of ResNet-18 and plain-18, with its own cells, from three seeds.

About five minutes on two cores. The notebook shows the result beside its own single runs.

    .venv/bin/python -m records.seeds_04
"""
import utils  # noqa: F401  before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'def train_resnet(', 'class Plain(')


def main():
    names = notebook_names('04_fashion_mnist', CELLS)
    runs = {'plain-18': [], 'ResNet-18': []}
    for seed in (0, 1, 2):
        runs['ResNet-18'].append(names['train_resnet'](names['ResNet'](10), seed))
        runs['plain-18'].append(names['train_resnet'](
            names['ResNet'](10, block=names['Plain']), seed))
    write(__file__, runs=runs)


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
