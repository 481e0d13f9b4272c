"""Notebook 05's nets: published counts, and equality with Gluon's model zoo."""
import utils  # isort: skip  before mxnet, for its threads

import gc

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, init, nd
from mxnet.gluon.model_zoo import vision

import resnet
from resnet import BasicBlock, Bottleneck, make_layer

PARAMETERS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
MULTIPLY_ADDS = {
    'resnet18': 1_814_073_344,
    'resnet34': 3_663_761_408,
    'resnet50': 4_089_184_256,
    'resnet50, stride_on_first': 3_857_973_248,
}
STAGES = {
    18: (147_968, 525_568, 2_099_712, 8_393_728),
    50: (215_808, 1_219_584, 7_098_368, 14_964_736),
}
# Learnable, as Keras's model.summary() prints them.
KERAS = {50: (25_583_592, 25_568_360), 101: (44_601_832, 44_577_896)}


def ready(net, size=32):
    """The net, initialised, with its shapes known."""
    gc.collect()
    net.initialize(init.Xavier())
    net(nd.zeros((1, 3, size, size)))
    return net


def new_net(name):
    depth, _, option = name.partition(', ')
    return getattr(resnet, depth)(**({option: True} if option else {}))


@pytest.mark.parametrize('depth', PARAMETERS)
def test_parameters_are_the_published(depth):
    assert utils.count_parameters(ready(new_net(f'resnet{depth}'))) == PARAMETERS[depth]


@pytest.mark.parametrize('depth', [50, 101, 152])
def test_place_of_the_stride_changes_no_parameter(depth):
    net = ready(new_net(f'resnet{depth}, stride_on_first'))
    assert utils.count_parameters(net) == PARAMETERS[depth]


@pytest.mark.parametrize('depth', STAGES)
def test_parameters_by_stage(depth):
    net = ready(new_net(f'resnet{depth}'))
    assert tuple(utils.count_parameters(stage) for stage in net[4:8]) == STAGES[depth]


@pytest.mark.parametrize('name', MULTIPLY_ADDS)
def test_multiply_adds_at_224_pixels(name):
    net = ready(new_net(name))
    assert utils.count_multiply_adds(net, (1, 3, 224, 224)) == MULTIPLY_ADDS[name]


@pytest.mark.parametrize('depth', PARAMETERS)
def test_depth_is_the_number_of_layers_on_the_main_path(depth):
    layers = [p for p in new_net(f'resnet{depth}').collect_params().values()
              if p.name.endswith('weight')]
    assert len(layers) == depth + (3 if depth < 50 else 4)  # projections are not counted


def test_resnet101_maps_four_images_to_four_rows():
    gc.collect()
    net = resnet.resnet101()
    net.initialize()
    assert net(nd.zeros((4, 3, 224, 224))).shape == (4, 1000)


@pytest.mark.parametrize(('channels', 'size', 'classes'), [(1, 32, 10), (3, 33, 4), (3, 96, 1000)])
def test_other_images_and_classes(channels, size, classes):
    net = resnet.resnet50(classes)
    net.initialize()
    assert net(nd.zeros((2, channels, size, size))).shape == (2, classes)


@pytest.mark.parametrize(('block', 'in_channels', 'out', 'parameters'), [
    (lambda: Bottleneck(64, downsample=True), 64, (256, 8, 6), 75_008),
    (lambda: Bottleneck(64), 256, (256, 8, 6), 70_400),
    (lambda: Bottleneck(128, 2, downsample=True), 256, (512, 4, 3), 379_392),
    (lambda: BasicBlock(256, downsample=True), 64, (256, 8, 6), None),
    (lambda: BasicBlock(64, 2, downsample=True), 64, (64, 4, 3), None),
])
def test_block_shapes_and_parameters(block, in_channels, out, parameters):
    blk = block()
    blk.initialize()
    assert blk(nd.zeros((2, in_channels, 8, 6))).shape == (2, *out)
    assert parameters in (None, utils.count_parameters(blk))


@pytest.mark.parametrize(('block', 'stride', 'in_channels', 'projected'), [
    (BasicBlock, 1, 64, False), (BasicBlock, 2, 64, True), (BasicBlock, 1, 32, True),
    (Bottleneck, 1, 64, True), (Bottleneck, 1, 256, False), (Bottleneck, 2, 256, True),
])
def test_only_the_first_block_may_change_the_shape(block, stride, in_channels, projected):
    layer = make_layer(block, 64, 3, stride, in_channels)
    assert [bool(len(blk.downsample)) for blk in layer] == [projected, False, False]


@pytest.mark.parametrize(('stride_on_first', 'share'), [(True, 0.25), (False, 1)])
def test_pixels_that_the_branch_looks_at(stride_on_first, share):
    mx.random.seed(0)
    blk = Bottleneck(4, stride=2, downsample=True, stride_on_first=stride_on_first)
    blk.initialize(init.Normal(0.5))
    x = nd.random.normal(shape=(32, 8, 8, 8))
    x.attach_grad()
    with autograd.record():
        out = blk.body(x)
    out.backward(nd.random.normal(shape=out.shape))
    assert (x.grad.abs().sum(axis=(0, 1)) > 0).mean().asscalar() == share


def copy_of_zoo(depth, **options):
    """Our net and Gluon's with the same numbers, BN's random ones included."""
    zoo = ready(getattr(vision, f'resnet{depth}_v1')())
    ours = ready(getattr(resnet, f'resnet{depth}')(**options))
    theirs = []
    for p in zoo.collect_params().values():
        if p.name.endswith(('gamma', 'running_var')):
            p.set_data(nd.random.uniform(0.5, 1.5, shape=p.shape))
        elif p.name.endswith(('beta', 'running_mean')):
            p.set_data(nd.random.normal(0, 0.1, shape=p.shape))
        if 'conv' in p.name and p.name.endswith('bias'):
            assert not p.data().asnumpy().any()  # it has no counterpart in ours
        else:
            theirs.append(p)
    for mine, their in zip(ours.collect_params().values(), theirs, strict=True):
        assert mine.name.rpartition('_')[2] == their.name.rpartition('_')[2]
        mine.set_data(their.data())
    return ours, zoo


@pytest.mark.parametrize('training', [False, True], ids=['predict', 'train'])
@pytest.mark.parametrize(('depth', 'options'), [(18, {}), (34, {}),
                                                (50, {'stride_on_first': True})])
def test_same_outputs_as_the_zoo_under_copied_weights(depth, options, training):
    mx.random.seed(0)
    ours, zoo = copy_of_zoo(depth, **options)
    x = nd.random.normal(shape=(2, 3, 64, 64))
    with autograd.record() if training else autograd.pause():
        mine, their = ours(x).asnumpy(), zoo(x).asnumpy()
    assert np.abs(mine - their).max() <= 1e-5 * np.abs(their).max()
    assert their.std() > 0


def test_v15_differs_from_v1():
    mx.random.seed(0)
    ours, zoo = copy_of_zoo(50)
    x = nd.random.normal(shape=(2, 3, 64, 64))
    difference = np.abs((ours(x) - zoo(x)).asnumpy()).max()
    assert difference > 0.01 * np.abs(zoo(x).asnumpy()).max()


@pytest.mark.parametrize('depth', KERAS)
def test_keras_counts_follow_from_ours_and_gluons(depth):
    ours, v2 = ready(new_net(f'resnet{depth}')), ready(getattr(vision, f'resnet{depth}_v2')())
    gammas = sum(p.data().size for p in ours.collect_params('.*gamma').values())
    blocks = [len(stage) for stage in ours[4:8]]
    widths = np.array([256, 512, 1024, 2048])
    # A bias for each convolution without a BN behind it: last of a block, projection, stem.
    biases = (blocks * widths).sum() + widths.sum() + 64
    stem_bn = 2 * 64
    assert (utils.count_parameters(ours) + gammas,
            utils.count_parameters(v2) + biases - stem_bn) == KERAS[depth]
