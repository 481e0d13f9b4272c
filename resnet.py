"""The networks of the series, the same text as in the notebooks that teach them.

Each docstring names its notebook; `tests/test_notebooks.py` keeps the two equal.
"""
from mxnet import nd
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

    def hybrid_forward(self, F, x):
        return F.relu(self.body(x))


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
        return F.relu(out + x)


class Residual(nn.HybridBlock):
    """The lesson's residual block, relu(F(x) + shortcut(x)) (notebook 02; He 2015, Fig. 2).

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
        if not same_shape:
            self.conv3 = nn.Conv2D(channels, kernel_size=1, strides=strides)

    def hybrid_forward(self, F, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if not self.same_shape:
            x = self.conv3(x)
        return F.relu(out + x)


class ResNet(nn.HybridBlock):
    """The lesson's ResNet-18 in six stages (notebook 03).

    Maps (batch, any, h, w) to (batch, num_classes); h and w at least 11 (96 in the lesson).
    verbose: print each stage's output shape. A hybridized net prints nothing.
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
