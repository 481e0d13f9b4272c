"""The nets that are trained here: new ones, with what another net knows, with frozen features."""
import utils  # noqa: F401  before mxnet, for its threads

from mxnet import autograd, gluon, init, nd

import resnet


def new_net(about):
    """The ResNet that `about` describes, without parameters: (b, 1 or 3, h, w) → (b, classes).

    about: a dictionary with depth (18, 34, 50, 101 or 152), classes (their names) and
    stride_on_first (see resnet.Bottleneck).
    """
    options = {'stride_on_first': True} if about['stride_on_first'] else {}
    return getattr(resnet, f'resnet{about["depth"]}')(len(about['classes']), **options)


class FrozenFeatures(gluon.Block):
    """`net` with features as at prediction time, BN's running statistics included.

    Only the last layer learns. Maps (b, c, h, w) to (b, classes), as `net` does.
    """

    def __init__(self, net):
        super().__init__()
        self.features, self.output = net[:-1], net[-1]
        self.features.collect_params().setattr('grad_req', 'null')

    def forward(self, x):
        with autograd.pause(train_mode=False):
            features = self.features(x)
        return self.output(features)


def first_net(about, start, ctx):
    """A net to begin with: He's initialisation, and what `start` (another net) knows.

    about: what new_net needs, size (pixels) and grey. ctx: a list of devices. All of `start` is
    copied but its last layer, whose outputs are other classes; None for nothing to start from.
    """
    net = new_net(about)
    channels = 1 if about['grey'] else 3
    # Not by a forward pass: oneDNN would give the weights a layout that dist_sync cannot send.
    net.infer_shape(nd.zeros((1, channels, about['size'], about['size'])))
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0), ctx=ctx)
    if start is not None:
        for mine, theirs in zip(net[:-1].collect_params().values(),
                                start[:-1].collect_params().values(), strict=True):
            mine.set_data(theirs.data(theirs.list_ctx()[0]))
    return net
