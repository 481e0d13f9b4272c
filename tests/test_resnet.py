"""resnet.py against NumPy, the lesson's shapes, and itself hybridized."""
import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, nd
from mxnet.gluon import nn
from test_original_lesson import STAGES

from resnet import PlainBlock, Residual, ResNet, ShortcutBlock, cifar_net

# ---------------------------------------------------------------------------------------------
# The blocks in NumPy


def conv(x, weight, bias=0., stride=1, padding=0):
    """The definition of a convolution, one output position at a time."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    size = weight.shape[-1]
    rows, columns = [(n - size) // stride + 1 for n in x.shape[2:]]
    out = np.empty((len(x), len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = x[:, :, i * stride:i * stride + size, j * stride:j * stride + size]
            out[:, :, i, j] = np.tensordot(patch, weight, axes=([1, 2, 3], [1, 2, 3])) + bias
    return out


def channelwise(vector):
    return vector[:, None, None]


def batch_norm(x, gamma, beta, running_mean, running_var, training):
    mean, var = ((x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))) if training
                 else (running_mean, running_var))
    normal = (x - channelwise(mean)) / np.sqrt(channelwise(var) + 1e-5)
    return channelwise(gamma) * normal + channelwise(beta)


def numbers(layer):
    """A layer's parameters by name, without the prefix, in double precision."""
    return {name.removeprefix(layer.prefix): p.data().asnumpy().astype('float64')
            for name, p in layer.collect_params().items()}


def branch(x, conv1, bn1, conv2, bn2, stride, training):
    out = conv(x, **numbers(conv1), stride=stride, padding=1)
    out = np.maximum(batch_norm(out, **numbers(bn1), training=training), 0)
    out = conv(out, **numbers(conv2), padding=1)
    return batch_norm(out, **numbers(bn2), training=training)


def residual_reference(block, x, training):
    stride = 1 if block.same_shape else 2
    out = branch(x, block.conv1, block.bn1, block.conv2, block.bn2, stride, training)
    if not block.same_shape:
        x = conv(x, **numbers(block.conv3), stride=stride)
    return np.maximum(out + x, 0)


def plain_reference(block, x, training):
    conv1, bn1, _, conv2, bn2 = block.body
    return np.maximum(branch(x, conv1, bn1, conv2, bn2, block.stride, training), 0)


def option_a_reference(block, x, training):
    conv1, bn1, _, conv2, bn2 = block.body
    out = branch(x, conv1, bn1, conv2, bn2, block.stride, training)
    if block.stride == 2:
        x = x[:, :, ::2, ::2]
        x = np.concatenate([x, np.zeros_like(x)], axis=1)
    return np.maximum(out + x, 0)


def randomise(block, x):
    """Gives every parameter random numbers, biases and running statistics too."""
    block.initialize()
    block(x)  # now the shapes are known
    for name, p in block.collect_params().items():
        low, high = (0.5, 2) if name.endswith('var') else (-1, 1)
        p.set_data(nd.random.uniform(low, high, shape=p.shape))


def output(block, x, training):
    with autograd.record() if training else autograd.pause():
        return block(x).asnumpy()


BLOCKS = {
    'Residual, same shape': (lambda: Residual(3), residual_reference),
    'Residual, other shape': (lambda: Residual(4, same_shape=False), residual_reference),
    'PlainBlock': (lambda: PlainBlock(3), plain_reference),
    'PlainBlock, stride 2': (lambda: PlainBlock(5, stride=2), plain_reference),
    'ShortcutBlock': (lambda: ShortcutBlock(3), option_a_reference),
    'ShortcutBlock, stride 2': (lambda: ShortcutBlock(6, stride=2), option_a_reference),
}
INPUTS = {  # 7 × 6 pixels, for what an odd and an even side become with stride 2
    'mixed': lambda: nd.random.normal(shape=(4, 3, 7, 6)),
    'negative': lambda: -nd.random.uniform(0, 1, shape=(4, 3, 7, 6)),
}


@pytest.mark.parametrize('hybrid', [False, True], ids=['eager', 'hybrid'])
@pytest.mark.parametrize('training', [False, True], ids=['predict', 'train'])
@pytest.mark.parametrize('signs', INPUTS)
@pytest.mark.parametrize('name', BLOCKS)
def test_block_equals_its_reference(name, signs, training, hybrid):
    mx.random.seed(0)
    new_block, reference = BLOCKS[name]
    block, x = new_block(), INPUTS[signs]()
    randomise(block, x)
    if hybrid:
        block.hybridize(static_alloc=True, static_shape=True)
    expected = reference(block, x.asnumpy().astype('float64'), training)
    assert 0.05 < (expected > 0).mean() < 0.95
    assert np.allclose(output(block, x, training), expected, rtol=1e-4, atol=1e-4)


def test_residual_moves_running_statistics_by_a_tenth_in_training_only():
    mx.random.seed(0)
    block, x = Residual(3), INPUTS['mixed']()
    randomise(block, x)
    before = numbers(block.bn1)
    first = conv(x.asnumpy().astype('float64'), **numbers(block.conv1), padding=1)
    output(block, x, training=False)
    assert np.array_equal(numbers(block.bn1)['running_mean'], before['running_mean'])
    with autograd.record():
        out = block(x)
    out.backward()
    after = numbers(block.bn1)
    for key, batch in (('running_mean', first.mean(axis=(0, 2, 3))),
                       ('running_var', first.var(axis=(0, 2, 3)))):
        assert np.allclose(after[key], 0.9 * before[key] + 0.1 * batch, rtol=1e-3)


@pytest.mark.parametrize('new_block', [lambda: Residual(3), lambda: ShortcutBlock(3)],
                         ids=['Residual', 'ShortcutBlock'])
def test_without_its_branch_a_block_hands_on_what_is_positive(new_block):
    block, x = new_block(), INPUTS['mixed']()
    randomise(block, x)
    last = block.bn2 if isinstance(block, Residual) else block.body[-1]
    last.gamma.set_data(nd.zeros(3))
    last.beta.set_data(nd.zeros(3))
    assert np.array_equal(block(x).asnumpy(), np.maximum(x.asnumpy(), 0))


# ---------------------------------------------------------------------------------------------
# The nets

NETS = {
    'plain-8': (lambda: cifar_net(8, PlainBlock), (4, 1, 14, 14)),
    'ResNet-14': (lambda: cifar_net(14, ShortcutBlock), (4, 3, 14, 14)),
    'cifar_net of 5 classes': (lambda: cifar_net(8, ShortcutBlock, num_classes=5), (4, 1, 7, 9)),
    'ResNet': (lambda: ResNet(10), (2, 1, 32, 32)),
}


@pytest.mark.parametrize('training', [False, True], ids=['predict', 'train'])
@pytest.mark.parametrize('name', NETS)
def test_hybridized_net_equals_the_eager_one(name, training):
    mx.random.seed(0)
    new_net, shape = NETS[name]
    net, x = new_net(), nd.random.uniform(shape=shape)
    net.initialize(mx.init.Xavier())
    eager = output(net, x, training)
    net.hybridize(static_alloc=True, static_shape=True)
    for _ in range(2):
        assert np.allclose(output(net, x, training), eager, rtol=1e-4, atol=1e-5)
    assert eager.std() > 0


@pytest.mark.parametrize(('num_classes', 'size'), [(10, 14), (3, 28), (10, 5)])
def test_cifar_net_maps_images_to_classes(num_classes, size):
    net = cifar_net(8, ShortcutBlock, num_classes)
    net.initialize()
    assert net(nd.zeros((2, 1, size, size))).shape == (2, num_classes)


@pytest.mark.parametrize('depth', [8, 14, 20, 56])
def test_cifar_net_has_as_many_layers_as_it_is_deep(depth):
    layers = [p for p in cifar_net(depth, PlainBlock).collect_params().values()
              if p.name.endswith('weight')]
    assert len(layers) == depth


@pytest.mark.parametrize('depth', [-4, 0, 2, 7, 10, 19, 21, 57])
def test_cifar_net_refuses_other_depths(depth):
    with pytest.raises(ValueError, match=rf'depth must be 6n \+ 2 .*, not {depth}$'):
        cifar_net(depth, PlainBlock)


# ---------------------------------------------------------------------------------------------
# The lesson's net


@pytest.mark.parametrize('channels', [1, 3])
def test_verbose_resnet_prints_the_shape_of_each_stage(capsys, channels):
    net = ResNet(10, verbose=True)
    net.initialize()
    assert net(nd.zeros((4, channels, 96, 96))).shape == (4, 10)
    assert capsys.readouterr().out.splitlines() == STAGES


def test_hybridized_verbose_resnet_prints_nothing(capsys):
    net = ResNet(10, verbose=True)
    net.initialize()
    net.hybridize()
    net(nd.zeros((1, 1, 32, 32)))
    assert capsys.readouterr().out == ''


def test_resnet_prints_nothing_by_default(capsys):
    net = ResNet(10)
    net.initialize()
    net(nd.zeros((1, 1, 32, 32)))
    assert capsys.readouterr().out == ''


def test_global_pooling_equals_the_lessons_pooling_at_96_pixels():
    net = ResNet(10)
    net.initialize(mx.init.Xavier())
    features = nd.random.uniform(shape=(2, 1, 96, 96))
    for stage in net.net[:5]:
        features = stage(features)
    pool, dense = net.net[5]
    assert isinstance(pool, nn.GlobalAvgPool2D)
    pooled = nn.AvgPool2D(pool_size=3)(features)
    assert np.allclose(pool(features).asnumpy(), pooled.asnumpy(), rtol=1e-5)
    assert dense(pooled).shape == (2, 10)


def test_resnet_takes_images_from_11_pixels_up():
    net = ResNet(10)
    net.initialize()
    assert net(nd.zeros((1, 1, 11, 11))).shape == (1, 10)
    with pytest.raises(mx.MXNetError, match=r'kernel size \(3\) exceeds input'):
        net(nd.zeros((1, 1, 10, 10))).wait_to_read()


def test_resnet_is_built_of_the_block_it_is_given():
    calls = []

    def block(channels, same_shape=True):
        calls.append((channels, same_shape))
        return Residual(channels, same_shape)

    ResNet(10, block=block)
    assert calls == [(64, True), (64, True), (128, False), (128, True),
                     (256, False), (256, True), (512, False), (512, True)]
