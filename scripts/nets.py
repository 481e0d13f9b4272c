"""The nets that are trained here: new ones, with what another net knows, with frozen features."""
import subprocess
import sys

import utils  # noqa: F401  before mxnet, for its threads

from mxnet import autograd, gluon, init, nd
from mxnet.gluon.model_zoo import vision

import resnet

DEPTHS = (18, 34, 50, 101, 152)
# Of the pictures that Gluon's weights were trained on: each channel on the scale 0 to 1.
IMAGENET = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}


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


def pretrained_net(depth, seconds=600):
    """Gluon's resnet{depth}_v1 with its ImageNet weights, as one of our nets (notebook 05).

    Its stride is on the first 1 x 1 convolution. Gluon's biases in front of BN, which ours lack,
    are subtracted from BN's running means: at prediction time the outputs are the same.

    Raises OSError if the weights are not in ~/.mxnet/models and do not come within `seconds`.
    """
    name = f'resnet{depth}_v1'
    fetch = f'from mxnet.gluon.model_zoo import vision; vision.{name}(pretrained=True)'
    try:
        # In a process of its own, since the download waits for ever for a host that is silent.
        subprocess.run([sys.executable, '-c', fetch], timeout=seconds, check=True,
                       capture_output=True, text=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        reason = ([f'nothing came within {seconds} seconds']
                  if isinstance(error, subprocess.TimeoutExpired)
                  else error.stderr.strip().splitlines() or ['no reason given'])[-1]
        raise OSError(
            f"Gluon's weights for {name} could not be fetched ({reason}). "
            'Put the file from a machine that has it into ~/.mxnet/models, or start from a '
            'checkpoint of your own: --init-from CHECKPOINT.') from None
    zoo = vision.get_model(name, pretrained=True)
    net = new_net({'depth': depth, 'classes': range(1000), 'stride_on_first': depth >= 50})
    net.initialize()
    net(nd.zeros((1, 3, 64, 64)))
    mine, bias = iter(net.collect_params().values()), 0
    for their in zoo.collect_params().values():
        if 'conv' in their.name and their.name.endswith('bias'):
            bias = their.data()
        elif their.name.endswith('running_mean'):
            next(mine).set_data(their.data() - bias)
            bias = 0
        else:
            next(mine).set_data(their.data())
    return net
