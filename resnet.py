"""The networks of the series, the same text as in the notebooks that teach them.

Each docstring names its notebook; `tests/test_notebooks.py` keeps the two equal.
"""
from mxnet import init, nd
from mxnet.gluon import nn


class PlainBlock(nn.HybridBlock):
    """Two 3 x 3 convolutions, each with batch normalisation (notebook 01; He 2015, §4.2).

    Maps (batch, any, h, w) to (batch, channels, h / stride, w / stride), rounded up.
    """

    def __init__(self, channels, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride
        self.body = nn.HybridSequential()
        self.body.add(nn.Conv2D(channels, kernel_size=3, strides=stride, padding=1, use_bias=False),
                      nn.BatchNorm(),
                      nn.Activation('relu'),
                      nn.Conv2D(channels, kernel_size=3, padding=1, use_bias=False),
                      nn.BatchNorm())
        self.relu = nn.Activation('relu')

    def hybrid_forward(self, F, x):
        return self.relu(self.body(x))


def cifar_net(depth, block, num_classes=10):
    """He 2015's 6n + 2 layers for small images (notebook 01; §4.2): one convolution, three
    stages of n blocks with 16, 32 and 64 channels, and one dense layer on the mean of each map.

    depth: 8, 14, 20, … 6n + 2, else ValueError. block: called as block(channels, stride).
    The net maps (batch, any, h, w) to (batch, num_classes).
    """
    n, rest = divmod(depth - 2, 6)
    if n < 1 or rest:
        raise ValueError(f'depth must be 6n + 2 (8, 14, 20, …), not {depth}')
    net = nn.HybridSequential()
    net.add(nn.Conv2D(16, kernel_size=3, padding=1, use_bias=False),
            nn.BatchNorm(),
            nn.Activation('relu'))
    for channels in (16, 32, 64):
        for i in range(n):
            net.add(block(channels, stride=2 if channels > 16 and i == 0 else 1))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(num_classes))
    return net


class ShortcutBlock(PlainBlock):
    """The plain block plus its input (notebook 02; He 2015, Eq. 1, option A).

    Maps (batch, c, h, w) to (batch, c, h, w), or with stride 2 to (batch, 2c, h / 2, w / 2):
    the shortcut then skips every other pixel and fills the new channels with zeros.
    """

    def hybrid_forward(self, F, x):
        out = self.body(x)
        if self.stride == 2:
            x = F.Pooling(x, kernel=(1, 1), stride=(2, 2))
            x = F.concat(x, F.zeros_like(x), dim=1)
        return self.relu(out + x)


class Residual(nn.HybridBlock):
    """The original lesson's block, relu(F(x) + shortcut(x)) (notebook 02; He 2015, Fig. 2).

    Maps (batch, channels, h, w) to the same shape or, if not same_shape, (batch, any, h, w) to
    (batch, channels, h / 2, w / 2), rounded up, with a 1 x 1 convolution on the shortcut.
    """

    def __init__(self, channels, same_shape=True, **kwargs):
        super().__init__(**kwargs)
        self.same_shape = same_shape
        strides = 1 if same_shape else 2
        self.conv1 = nn.Conv2D(channels, kernel_size=3, padding=1, strides=strides)
        self.bn1 = nn.BatchNorm()
        self.conv2 = nn.Conv2D(channels, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm()
        self.relu = nn.Activation('relu')
        if not same_shape:
            self.conv3 = nn.Conv2D(channels, kernel_size=1, strides=strides)

    def hybrid_forward(self, F, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if not self.same_shape:
            x = self.conv3(x)
        return self.relu(out + x)


class ResNet(nn.HybridBlock):
    """Our ResNet-18, the original lesson's, in six pieces (notebook 03).

    Maps (batch, any, h, w) to (batch, num_classes); h and w at least 11 (originally 96).
    verbose: print each piece's output shape. A hybridized net prints nothing.
    block: called as block(channels) and block(channels, same_shape=False).
    """

    def __init__(self, num_classes, verbose=False, block=Residual, **kwargs):
        super().__init__(**kwargs)
        self.verbose = verbose
        with self.name_scope():
            # block 1
            b1 = nn.Conv2D(64, kernel_size=7, strides=2)
            # block 2
            b2 = nn.HybridSequential()
            b2.add(nn.MaxPool2D(pool_size=3, strides=2), block(64), block(64))
            # block 3
            b3 = nn.HybridSequential()
            b3.add(block(128, same_shape=False), block(128))
            # block 4
            b4 = nn.HybridSequential()
            b4.add(block(256, same_shape=False), block(256))
            # block 5
            b5 = nn.HybridSequential()
            b5.add(block(512, same_shape=False), block(512))
            # block 6
            b6 = nn.HybridSequential()
            b6.add(nn.GlobalAvgPool2D(), nn.Dense(num_classes))
            # chain all blocks together
            self.net = nn.HybridSequential()
            self.net.add(b1, b2, b3, b4, b5, b6)

    def hybrid_forward(self, F, x):
        out = x
        for i, b in enumerate(self.net):
            out = b(out)
            if self.verbose and F is nd:  # the symbols of a hybridized net have no shape
                print(f'Block {i + 1} output: {out.shape}')
        return out


def conv_bn(channels, kernel_size, stride=1):
    """A convolution without bias, padded so that stride 1 keeps the image's size, and its BN.

    Two layers in a list (notebook 05; He 2015, §3.4).
    """
    return [nn.Conv2D(channels, kernel_size, strides=stride, padding=kernel_size // 2,
                      use_bias=False),
            nn.BatchNorm()]


class BasicBlock(nn.HybridBlock):
    """Two 3 x 3 convolutions (notebook 05; He 2015, Fig. 5 left, option B).

    Maps (batch, channels, h, w) to the same shape or, with downsample, (batch, any, h, w) to
    (batch, channels, h / stride, w / stride), rounded up.
    """

    expansion = 1  # channels out = expansion * channels

    def __init__(self, channels, stride=1, downsample=False, **kwargs):
        super().__init__(**kwargs)
        self.body = nn.HybridSequential()
        self.body.add(*conv_bn(channels, 3, stride), nn.Activation('relu'),
                      *conv_bn(channels, 3))
        self.downsample = nn.HybridSequential()  # without layers it is the identity
        if downsample:
            self.downsample.add(*conv_bn(channels, 1, stride))
        self.relu = nn.Activation('relu')

    def hybrid_forward(self, F, x):
        return self.relu(self.body(x) + self.downsample(x))


class Bottleneck(nn.HybridBlock):
    """1 x 1, 3 x 3 and 1 x 1 convolution (notebook 05; He 2015, Fig. 5 right, option B).

    Maps (batch, 4 channels, h, w) to the same shape or, with downsample, (batch, any, h, w) to
    (batch, 4 channels, h / stride, w / stride), rounded up; `channels` is the width in between.
    stride_on_first: the stride on the first 1 x 1 (the paper, "v1"), not on the 3 x 3 ("v1.5").
    """

    expansion = 4

    def __init__(self, channels, stride=1, downsample=False, stride_on_first=False, **kwargs):
        super().__init__(**kwargs)
        first, second = (stride, 1) if stride_on_first else (1, stride)
        self.body = nn.HybridSequential()
        self.body.add(*conv_bn(channels, 1, first), nn.Activation('relu'),
                      *conv_bn(channels, 3, second), nn.Activation('relu'),
                      *conv_bn(4 * channels, 1))
        self.downsample = nn.HybridSequential()
        if downsample:
            self.downsample.add(*conv_bn(4 * channels, 1, stride))
        self.relu = nn.Activation('relu')

    def hybrid_forward(self, F, x):
        return self.relu(self.body(x) + self.downsample(x))


def make_layer(block, channels, num_blocks, stride, in_channels, **options):
    """One stage: num_blocks blocks, of which the first changes the shape (notebook 05).

    block: BasicBlock or Bottleneck; options: handed to each block. in_channels: what comes in.
    """
    changes_shape = stride != 1 or in_channels != channels * block.expansion
    layer = nn.HybridSequential()
    layer.add(block(channels, stride, downsample=changes_shape, **options))
    for _ in range(num_blocks - 1):
        layer.add(block(channels, **options))
    return layer


def imagenet_resnet(block, stage_blocks, num_classes=1000, **options):
    """A net of He 2015's Table 1 (notebook 05): stem, four stages, mean, dense layer.

    stage_blocks: blocks in each stage, such as (3, 4, 6, 3). The net maps (batch, any, h, w) to
    (batch, num_classes), for any h and w; the paper's are 224.
    """
    net = nn.HybridSequential()
    net.add(*conv_bn(64, 7, stride=2), nn.Activation('relu'),
            nn.MaxPool2D(pool_size=3, strides=2, padding=1))
    in_channels = 64
    for stage, num_blocks in enumerate(stage_blocks):
        channels, stride = 64 * 2 ** stage, 1 if stage == 0 else 2
        net.add(make_layer(block, channels, num_blocks, stride, in_channels, **options))
        in_channels = channels * block.expansion
    net.add(nn.GlobalAvgPool2D(), nn.Dense(num_classes))
    return net


def resnet18(num_classes=1000):
    """ResNet-18 of He 2015's Table 1, option B (notebook 05): (b, any, h, w) → (b, num_classes)."""
    return imagenet_resnet(BasicBlock, (2, 2, 2, 2), num_classes)


def resnet34(num_classes=1000):
    """ResNet-34 of He 2015's Table 1, option B (notebook 05): (b, any, h, w) → (b, num_classes)."""
    return imagenet_resnet(BasicBlock, (3, 4, 6, 3), num_classes)


def resnet50(num_classes=1000, stride_on_first=False):
    """ResNet-50 (notebook 05; He 2015, Table 1): (b, any, h, w) → (b, num_classes).

    stride_on_first: the paper's placement of the stride, see Bottleneck.
    """
    return imagenet_resnet(Bottleneck, (3, 4, 6, 3), num_classes, stride_on_first=stride_on_first)


def resnet101(num_classes=1000, stride_on_first=False):
    """ResNet-101; all else as in resnet50."""
    return imagenet_resnet(Bottleneck, (3, 4, 23, 3), num_classes, stride_on_first=stride_on_first)


def resnet152(num_classes=1000, stride_on_first=False):
    """ResNet-152; all else as in resnet50."""
    return imagenet_resnet(Bottleneck, (3, 8, 36, 3), num_classes, stride_on_first=stride_on_first)


# How the units of notebook 06 join the shortcut x and the residual branch; `side` is the gate or
# the convolution of x (He 2016, Fig. 2).
SHORTCUTS = {
    'identity':           lambda F, x, branch, side: x + branch,
    'constant scaling':   lambda F, x, branch, side: 0.5 * x + 0.5 * branch,
    'exclusive gate':     lambda F, x, branch, side: (1 - side) * x + side * branch,
    'shortcut-only gate': lambda F, x, branch, side: (1 - side) * x + branch,
    '1x1 convolution':    lambda F, x, branch, side: side + branch,
    'dropout':            lambda F, x, branch, side: F.Dropout(x, p=0.5) + branch,
    'none':               lambda F, x, branch, side: branch,
}

# The layers of the branch, and those behind the addition (He 2016, Fig. 4).
ORDERS = {
    'original':                 ('conv BN ReLU conv BN', 'ReLU'),
    'BN after addition':        ('conv BN ReLU conv', 'BN ReLU'),
    'ReLU before addition':     ('conv BN ReLU conv BN ReLU', ''),
    'ReLU-only pre-activation': ('ReLU conv BN ReLU conv BN', ''),
    'full pre-activation':      ('BN ReLU conv BN ReLU conv', ''),
}


def layers_from(names, channels=None, stride=1):
    """The layers of a word list such as 'BN ReLU conv' (notebook 06).

    conv: 3 x 3, to `channels` channels, the first of them with the stride.
    """
    layers = nn.HybridSequential()
    for name in names.split():
        if name == 'conv':
            layers.add(nn.Conv2D(channels, kernel_size=3, strides=stride, padding=1,
                                 use_bias=False))
            stride = 1
        elif name == 'BN':
            layers.add(nn.BatchNorm())
        elif name == 'ReLU':
            layers.add(nn.Activation('relu'))
    return layers


class Unit(nn.HybridBlock):
    """A residual unit of He 2016 with any of SHORTCUTS and any order of layers (notebook 06).

    Maps (batch, c, h, w) to (batch, c, h, w), or with stride 2 to (batch, 2c, h / 2, w / 2);
    x then first becomes every other pixel, and zeros for the new channels (option A).
    gate_bias: what the biases of a gate begin with; -6 begins close to the identity.
    """

    def __init__(self, channels, stride, shortcut, branch, after, gate_bias=-6., **kwargs):
        super().__init__(**kwargs)
        self.stride, self.join = stride, SHORTCUTS[shortcut]
        self.branch = layers_from(branch, channels, stride)
        self.after = layers_from(after)
        self.side = nn.HybridSequential()
        if 'gate' in shortcut:
            self.side.add(nn.Conv2D(channels, kernel_size=1,
                                    bias_initializer=init.Constant(gate_bias)),
                          nn.Activation('sigmoid'))
        elif shortcut == '1x1 convolution':
            self.side.add(nn.Conv2D(channels, kernel_size=1, use_bias=False), nn.BatchNorm())

    def hybrid_forward(self, F, x):
        branch = self.branch(x)
        if self.stride == 2:
            x = F.Pooling(x, kernel=(1, 1), stride=(2, 2))
            x = F.concat(x, F.zeros_like(x), dim=1)
        return self.after(self.join(F, x, branch, self.side(x)))


def cifar_resnet(depth, shortcut='identity', order='original', gate_bias=-6.):
    """A 6n + 2 net of any of SHORTCUTS and ORDERS (notebook 06; He 2016, §3.1 and §4.1).

    depth: 8, 14, 20, … 6n + 2, else ValueError, as for another shortcut or order.
    The net maps (batch, any, h, w) to (batch, 10).
    """
    if shortcut not in SHORTCUTS or order not in ORDERS:
        raise ValueError(f'shortcut is one of {list(SHORTCUTS)}, order one of {list(ORDERS)}')
    branch, after = ORDERS[order]
    first = branch.index('conv')  # so branch[:first] is 'BN ReLU ' in full pre-activation
    options = {'shortcut': shortcut, 'after': after, 'gate_bias': gate_bias}
    net = cifar_net(depth, lambda channels, stride: Unit(channels, stride, branch=branch,
                                                         **options))
    stem, units, head = net[:3], net[3:-2], net[-2:]
    whole = nn.HybridSequential()
    # The stem has activated what the first unit gets; the last sum is still to be activated.
    whole.add(*stem, Unit(16, 1, branch=branch[first:], **options), *units[1:],
              *layers_from(branch[:first]), *head)
    return whole


class PreActBottleneck(nn.HybridBlock):
    """BN, ReLU and convolution, three times (notebook 06; He 2016, Fig. 1b and appendix).

    Shapes as in Bottleneck, stride on the 3 x 3. With downsample the shortcut, a 1 x 1
    convolution, begins behind the first BN and ReLU.
    """

    expansion = 4

    def __init__(self, channels, stride=1, downsample=False, **kwargs):
        super().__init__(**kwargs)
        self.activation, self.body = nn.HybridSequential(), nn.HybridSequential()
        self.activation.add(nn.BatchNorm(), nn.Activation('relu'))
        self.body.add(*conv_bn(channels, 1), nn.Activation('relu'),
                      *conv_bn(channels, 3, stride), nn.Activation('relu'),
                      nn.Conv2D(4 * channels, kernel_size=1, use_bias=False))
        self.downsample = nn.HybridSequential()
        if downsample:
            self.downsample.add(nn.Conv2D(4 * channels, kernel_size=1, strides=stride,
                                          use_bias=False))

    def hybrid_forward(self, F, x):
        active = self.activation(x)
        shortcut = self.downsample(active) if self.downsample else x
        return shortcut + self.body(active)


def preact_resnet(depth, block=PreActBottleneck):
    """He 2016's 9n + 2 layers for small images, such as 164 and 1001 (notebook 06; §4.2).

    depth: 11, 20, … 9n + 2, else ValueError. The net maps (batch, any, h, w) to (batch, 10).
    """
    n, rest = divmod(depth - 2, 9)
    if n < 1 or rest:
        raise ValueError(f'depth must be 9n + 2 (11, 20, 29, …), not {depth}')
    net = nn.HybridSequential()
    net.add(nn.Conv2D(16, kernel_size=3, padding=1, use_bias=False),
            make_layer(block, 16, n, stride=1, in_channels=16),
            make_layer(block, 32, n, stride=2, in_channels=64),
            make_layer(block, 64, n, stride=2, in_channels=128),
            nn.BatchNorm(),
            nn.Activation('relu'),
            nn.GlobalAvgPool2D(),
            nn.Dense(10))
    return net


class PooledBlock(nn.HybridBlock):
    """Two 3 x 3 convolutions, the first with stride 2; on the shortcut the mean of 2 x 2 pixels
    and a 1 x 1 convolution (notebook 14; He 2018, Fig. 2c).

    Maps (batch, any, h, w) to (batch, channels, h / 2, w / 2), rounded up.
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.body = nn.HybridSequential()
        self.body.add(*conv_bn(channels, 3, stride=2), nn.Activation('relu'),
                      *conv_bn(channels, 3))
        self.shortcut = nn.HybridSequential()
        self.shortcut.add(nn.AvgPool2D(pool_size=2, ceil_mode=True), *conv_bn(channels, 1))
        self.relu = nn.Activation('relu')

    def hybrid_forward(self, F, x):
        return self.relu(self.body(x) + self.shortcut(x))


def fast_resnet(blocks=(16, 32, 64, 128), num_classes=10):
    """A ResNet for 75 seconds on a CPU (notebook 14): (batch, any, h, w) → (batch, num_classes).

    A stem of 8 channels at full size, then a PooledBlock for each entry of `blocks`, its channels.
    """
    net = nn.HybridSequential()
    net.add(*conv_bn(8, 3), nn.Activation('relu'))
    for channels in blocks:
        net.add(PooledBlock(channels))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(num_classes))
    return net
