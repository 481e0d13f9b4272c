"""Train the nets that notebook 07 dissects, with its own cells, and store them in nets_07/.

About two minutes on one core. The notebook trains the same nets itself where a file is missing.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.nets_07
"""
from pathlib import Path

import utils  # before mxnet, for its threads

from resnet import cifar_net
from tools.notebook import notebook_names
from tools.record import take_no_arguments

FOLDER = Path(__file__).with_suffix('')
# The cells that it takes, by a line of each.
CELLS = ('NETS = ',)


def main():
    names = notebook_names('07_inside_a_resnet', CELLS)
    for name, (depth, block) in names['NETS'].items():
        net = utils.init_net(cifar_net(depth, block), seed=0)
        history = utils.fit(net, names['train_data'], names['test_data'])
        net.cast('float16')  # but not BN, which Gluon keeps in float32
        net.save_parameters(str(FOLDER / f'{name}.params'))
        print(f'{name}: {utils.final_errors(history)}')


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
