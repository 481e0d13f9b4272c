"""What notebook 08 defines: Inception, separable convolutions, and eight nets on one budget."""
import json

import utils

import numpy as np
import pytest
from mxnet import init, nd
from mxnet.gluon import nn
from rules import ROOT

from tools.notebook import notebook_names

NETS = ('VGG', 'ResNet', 'Inception', 'Inception-ResNet', 'Inception-ResNet − x', 'Xception',
        'MobileNet', 'MobileNet + x')
# The cells that it takes, by a line of each; none of them trains.
CELLS = ('def conv(', 'def report(', 'def inception_3a(', 'def touched(', 'class Shortcut(',
         'def depthwise(', 'def vgg(', 'def xception(', 'def small_net(', 'budget = ')


@pytest.fixture(scope='module')
def names():
    return notebook_names('08_inception_and_xception', CELLS)


def run(layer, x):
    """The output of the layer for x, with weights that hide nothing."""
    utils.seed_everything(0)
    layer.initialize(init.Normal(0.5))
    return layer(x)


def weights(layer):
    return sum(p.data().size for p in layer.collect_params('.*weight').values())


def test_inception_3a_has_the_published_weights_and_shape(names):
    module = names['inception_3a']()
    assert run(module, nd.zeros((2, 192, 28, 28))).shape == (2, 256, 28, 28)
    assert weights(module) == 163_328


def test_inception_concatenates_its_branches_in_order(names):
    branches = [nn.Conv2D(channels, 1) for channels in (16, 32, 48)]
    x = nd.random.normal(shape=(2, 3, 5, 5))
    out = run(names['Inception'](*branches), x)
    assert out.shape == (2, 96, 5, 5)
    assert np.allclose(out.asnumpy(), np.concatenate([b(x).asnumpy() for b in branches], axis=1))


def test_two_3x3_see_what_a_5x5_sees(names):
    chain, touched, seen = names['chain'], names['touched'], []
    for layer in (nn.Conv2D(8, 5, padding=2),
                  chain(nn.Conv2D(8, 3, padding=1), nn.Conv2D(8, 3, padding=1))):
        run(layer, nd.zeros((1, 8, 9, 9)))
        seen.append(touched(layer))
    assert np.array_equal(*seen)
    square = np.zeros((9, 9), dtype=bool)
    square[2:7, 2:7] = True
    assert (seen[0] == square).all()


def test_only_the_pointwise_step_mixes_channels(names):
    mixing = {}
    for step in (names['depthwise'](8), names['pointwise'](8)):
        run(step, nd.zeros((1, 8, 9, 9)))
        where = np.array([names['touched'](step, channel) for channel in range(8)])
        mixing[step] = where.any(axis=(2, 3)), where.any(axis=(0, 1)).sum()
    (depthwise, window), (pointwise, pixel) = mixing.values()
    assert np.array_equal(depthwise, np.eye(8)) and window == 9
    assert pointwise.all() and pixel == 1


def test_separable_weights(names):
    k, M, N = 9, 16, 48
    layer = names['chain'](names['depthwise'](M), names['pointwise'](N))
    assert run(layer, nd.zeros((1, M, 6, 6))).shape == (1, N, 6, 6)
    assert weights(layer) == k * M + M * N


def test_inception_resnet_with_a_zeroed_last_convolution_is_relu(names):
    module = names['inception_resnet'](64, 64)
    x = nd.random.normal(shape=(2, 64, 7, 7))
    assert not np.array_equal(run(module, x).asnumpy(), nd.relu(x).asnumpy())
    last = module[0].body[1][0]
    last.weight.set_data(nd.zeros(last.weight.shape))
    assert np.array_equal(module(x).asnumpy(), nd.relu(x).asnumpy())


@pytest.mark.parametrize(('in_channels', 'stride', 'identity'),
                         [(64, 1, True), (64, 2, False), (32, 1, False)])
def test_shortcut_projects_only_where_the_shape_changes(names, in_channels, stride, identity):
    block = names['Shortcut'](names['conv'](64, 3, stride), in_channels, 64, stride)
    x = nd.random.normal(shape=(2, in_channels, 7, 7))
    out = run(block, x)
    assert out.shape == (2, 64, *2 * (7 if stride == 1 else 4,))
    assert (len(block.projection) == 0) == identity
    if identity:
        assert np.allclose(out.asnumpy(), (block.body(x) + x).asnumpy())


@pytest.mark.parametrize('module', ['vgg', 'resnet', 'inception', 'inception_resnet',
                                    'inception_resnet_without_x', 'xception', 'mobilenet',
                                    'mobilenet_with_shortcut'])
def test_module_shapes(names, module):
    x = nd.random.normal(shape=(2, 64, 14, 14))
    assert run(names[module](64, 64), x).shape == (2, 64, 14, 14)
    assert run(names[module](64, 128, stride=2), x).shape == (2, 128, 7, 7)


@pytest.mark.parametrize('name', NETS)
def test_net_meets_the_budget(names, name):
    module, step = names['modules'][name]
    widths = names['widths'][name]
    slack = 0.05 if name.endswith('− x') else 0.02
    assert abs(names['cost'](module, widths) / names['budget'] - 1) < slack
    assert all(width % step == 0 for width in widths)
    net = names['small_net'](module, widths)
    assert run(net, nd.random.uniform(shape=(2, 1, 28, 28))).shape == (2, 10)


def test_inception_resnet_and_its_control_differ_in_x_alone(names):
    assert names['widths']['Inception-ResNet − x'] == names['widths']['Inception-ResNet']
    x = nd.random.normal(shape=(2, 64, 7, 7))
    block, control = (names[module](64, 64)
                      for module in ('inception_resnet', 'inception_resnet_without_x'))
    run(block, x)
    assert np.allclose(run(control, x).asnumpy(), nd.relu(block[0].body(x)).asnumpy(), atol=1e-5)


def test_search_finds_the_nearest_widths(names):
    vgg, cost = names['vgg'], names['cost']
    costs = [cost(vgg, [16 * max(1, round(m * w / 16)) for m in (1, 2, 4)]) for w in range(1, 40)]
    for budget in (4_000_000, 9_000_000):
        found = cost(vgg, names['fitting_widths'](vgg, 16, budget))
        assert found == min(costs, key=lambda c: abs(c - budget))


def test_mobilenet_with_shortcut_adds_before_the_last_relu(names):
    module = names['mobilenet_with_shortcut'](64, 64)
    x = nd.random.normal(shape=(2, 64, 7, 7))
    out = run(module, x)
    assert np.allclose(out.asnumpy(), nd.relu(x + module[0].body(x)).asnumpy())
    assert module[0].body(x).min().asscalar() < 0, 'the branch can take something back'


def test_record_has_every_rate_and_four_seeds_at_the_best():
    record = json.loads((ROOT / 'records' / 'seeds_08.json').read_text())
    runs, rates = record['runs'], record['rates']
    for name in NETS:
        best = max(rates, key=lambda rate: runs[f'{name}, learning rate {rate}, seed 0'][-1]
                   ['train_acc'])
        assert best == record['best_rates'][name]
        assert all(f'{name}, learning rate {best}, seed {seed}' in runs for seed in range(4))
    assert len(runs) == len(NETS) * (len(rates) + 3)
