"""Train the nets that notebook 07 dissects, with its own cells, and store them here.

About a minute on two cores. The notebook trains the same nets itself where a file is missing.

    .venv/bin/python models/train_07.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # noqa: E402  before mxnet, for its threads

from benchmarks.cells import notebook_names  # noqa: E402

# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'def fit(net')


def main():
    names = notebook_names('07_inside_a_resnet', CELLS)
    for name, (depth, block) in names['NETS'].items():
        net = names['new_net'](depth, block, seed=0)
        history = names['fit'](net)
        net.cast('float16')  # but not BN, which Gluon keeps in float32
        net.save_parameters(str(ROOT / 'models' / f'{name}.params'))
        print(f'{name}: {utils.final_errors(history)}')


if __name__ == '__main__':
    main()
