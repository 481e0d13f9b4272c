"""Why does a residual net train? Notebook 02's two explanations taken apart, with 56 layers each.

A shortcut hands on the signal in the forward pass, and the gradient in the backward pass. These
nets have one half without the other, level first steps without a shortcut, or begin as the
identity; they are trained from three seeds on notebook 02's data by the series' recipe. What is
finished is kept: a second call goes on. Ten minutes on two cores, which share the nets.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.why_02
"""
import functools
import itertools

import utils  # before mxnet, for its threads

from mxnet import gluon, nd

from resnet import PlainBlock, ShortcutBlock, cifar_net
from tools.notebook import notebook_names
from tools.record import take_no_arguments, write_jobs

SEEDS = (0, 1, 2)


class ForwardOnly(PlainBlock):
    """Adds its input as ResNet does, but no gradient passes this shortcut."""

    def hybrid_forward(self, F, x):
        return self.relu(self.body(x) + F.BlockGrad(option_a(F, x, self.stride)))


class BackwardOnly(PlainBlock):
    """Computes what the plain block does, but gradients pass as by a shortcut."""

    def hybrid_forward(self, F, x):
        shortcut = option_a(F, x, self.stride)
        return self.relu(self.body(x) + (shortcut - F.BlockGrad(shortcut)))


def option_a(F, x, stride):
    """The shortcut of resnet.ShortcutBlock."""
    if stride == 1:
        return x
    x = F.Pooling(x, kernel=(1, 1), stride=(2, 2))
    return F.concat(x, F.zeros_like(x), dim=1)


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


# What is special: the block, something done to the initialised net, the learning rate.
NETS = {
    'plain': (PlainBlock, None, 0.02),
    'plain, level first steps': (PlainBlock, level_gradients, 0.02),
    'plain, level first steps, rate 0.1': (PlainBlock, level_gradients, 0.1),
    'shortcut backward only': (BackwardOnly, None, 0.02),
    'shortcut forward only': (ForwardOnly, None, 0.02),
    'ResNet': (ShortcutBlock, None, 0.02),
    'ResNet, γ = 0': (ShortcutBlock, start_at_identity, 0.02),
}


@functools.cache
def data():
    names = notebook_names('02_residual_block', ('sizes = ',))
    return names['train_data'], names['test_data']


def train(name, seed):
    """The history of one net."""
    block, prepare, learning_rate = NETS[name]
    train_data, test_data = data()
    net = utils.init_net(cifar_net(56, block), seed)
    batch = next(iter(train_data))
    net(batch[0].as_in_context(utils.try_gpu()))  # the shapes of the parameters are known now
    if prepare:
        prepare(net, batch)
    return utils.fit(net, train_data, test_data, learning_rate=learning_rate)


def main():
    take_no_arguments(__doc__)
    jobs = {f'{name}, seed {seed}': (name, seed) for seed, name in itertools.product(SEEDS, NETS)}
    write_jobs(__file__, train, jobs, depth=56, seeds=SEEDS)


if __name__ == '__main__':
    main()
