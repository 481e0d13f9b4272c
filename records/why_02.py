"""Why does a residual net train? Notebook 02's two explanations taken apart, with 56 layers each.

A shortcut hands on the signal in the forward pass, and the gradient in the backward pass. These
nets have one half without the other, level first steps without a shortcut, or begin as the
identity; they are trained from three seeds on notebook 02's data by the series' recipe. What is
finished is kept: a second call goes on. Twelve minutes on two cores, which share the nets.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.why_02
"""
import contextlib
import functools
import itertools

import utils  # before mxnet, for its threads

from mxnet import gluon, nd

from resnet import PlainBlock, cifar_net
from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

SEEDS = (0, 1, 2)
LIFTED = 'plain, level first steps, lifted after warm-up'


def start_at_identity(net, _):
    """γ = 0 in the last BN of every block."""
    for block in net:
        if isinstance(block, PlainBlock):
            block.body[-1].gamma.set_data(nd.zeros(block.body[-1].gamma.shape))


def level_gradients(net, batch):
    """Rates of each layer that make its first step as long as the last convolution's.

    BN behind a convolution takes the convolution's rate.
    """
    x, y = (part.as_in_context(utils.try_gpu()) for part in batch)
    norms = utils.gradient_norms(net, gluon.loss.SoftmaxCrossEntropyLoss(), x, y)
    rates = iter([norms[-1] / norm for norm in norms])
    for parameter in net[:-1].collect_params().values():
        if len(parameter.shape) == 4:
            rate = next(rates)
        parameter.lr_mult = rate


class LiftedAfterWarmUp:
    """The batches of `data`; whoever asks for a second epoch gives every layer its full rate."""

    def __init__(self, data, net):
        self.data, self.net, self.epochs = data, net, 0

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        self.epochs += 1  # at the first batch: tqdm makes iterators, too, that it leaves unused
        if self.epochs == 2:
            self.net.collect_params().setattr('lr_mult', 1)
        yield from self.data


# What is special: the shortcut, something done to the initialised net, the learning rate.
NETS = {
    'plain': ('plain', None, 0.02),
    'plain, level first steps': ('plain', level_gradients, 0.02),
    'plain, level first steps, rate 0.1': ('plain', level_gradients, 0.1),
    LIFTED: ('plain', level_gradients, 0.02),
    'shortcut backward only': ('shortcut backward only', None, 0.02),
    'shortcut forward only': ('shortcut forward only', None, 0.02),
    'ResNet': ('ResNet', None, 0.02),
    'ResNet, γ = 0': ('ResNet', start_at_identity, 0.02),
}
# The cells of notebook 02 that it takes, by a line of each.
CELLS = 'sizes = ', 'shortcuts = {', 'def block_with('


@functools.cache
def names():
    with contextlib.redirect_stdout(None):
        return notebook_names('02_residual_block', CELLS)


def train(name, seed):
    """The history of one net."""
    shortcut, prepare, learning_rate = NETS[name]
    train_data, test_data = names()['train_data'], names()['test_data']
    net = utils.init_net(cifar_net(56, names()['block_with'](shortcut)), seed)
    batch = next(iter(train_data))
    net(batch[0].as_in_context(utils.try_gpu()))  # the shapes of the parameters are known now
    if prepare:
        prepare(net, batch)
    if name == LIFTED:
        train_data = LiftedAfterWarmUp(train_data, net)
    return utils.fit(net, train_data, test_data, learning_rate=learning_rate)


def main():
    take_no_arguments(__doc__)
    jobs = {f'{name}, seed {seed}': (name, seed) for seed, name in itertools.product(SEEDS, NETS)}
    write_jobs(__file__, train, jobs, depth=56, seeds=SEEDS)


if __name__ == '__main__':
    main()
