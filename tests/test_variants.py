"""Notebook 06's family: every shortcut and order against its formula, and published counts."""
import utils  # isort: skip  before mxnet, for its threads

import json

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, nd
from mxnet.gluon import nn
from rules import ROOT
from test_resnet import conv, numbers, output, randomise

from resnet import (
    ORDERS,
    SHORTCUTS,
    PlainBlock,
    PreActBottleneck,
    ShortcutBlock,
    Unit,
    cifar_net,
    cifar_resnet,
    preact_resnet,
)

PARAMETERS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962,
              1202: 19_421_274}
VARIANTS = [*((s, 'original') for s in SHORTCUTS), *(('identity', o) for o in ORDERS)]


def unit(shortcut='identity', order='original', channels=3, stride=1, **options):
    """A unit with random numbers everywhere, and an input with both signs."""
    mx.random.seed(0)
    branch, after = ORDERS[order]
    blk = Unit(channels, stride, shortcut, branch, after, **options)
    x = nd.random.normal(shape=(4, 3, 6, 6))
    randomise(blk, x)
    return blk, x


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    'identity': lambda x, f, w: x + f,
    'constant scaling': lambda x, f, w: 0.5 * x + 0.5 * f,
    'exclusive gate': lambda x, f, w: (1 - sigmoid(w)) * x + sigmoid(w) * f,
    'shortcut-only gate': lambda x, f, w: (1 - sigmoid(w)) * x + f,
    'dropout': lambda x, f, w: x + f,  # in prediction mode
    'none': lambda x, f, w: f,
}


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('shortcut', FORMULAS)
def test_shortcut_computes_its_formula(shortcut, stride):
    blk, x = unit(shortcut, channels=3 * stride, stride=stride)
    f, x = blk.branch(x).asnumpy(), x.asnumpy()
    if stride == 2:  # option A
        x = x[:, :, ::2, ::2]
        x = np.concatenate([x, np.zeros_like(x)], axis=1)
    w = conv(x, **numbers(blk.side[0])) if 'gate' in shortcut else None
    expected = np.maximum(FORMULAS[shortcut](x, f, w), 0)
    assert np.allclose(blk(unit(shortcut)[1]).asnumpy(), expected, atol=1e-5)


def test_convolution_on_the_shortcut_has_bn():
    blk, x = unit('1x1 convolution')
    convolution, bn = blk.side
    expected = blk.branch(x) + bn(nd.Convolution(x, convolution.weight.data(), no_bias=True,
                                                 kernel=(1, 1), num_filter=3))
    assert np.allclose(blk(x).asnumpy(), expected.relu().asnumpy(), atol=1e-5)


def test_dropout_drops_half_of_the_shortcut_in_training():
    blk, x = unit('dropout', order='full pre-activation')
    blk.branch[-1].weight.set_data(nd.zeros((3, 3, 3, 3)))
    ratio = output(blk, x, training=True) / x.asnumpy()
    assert np.allclose(np.minimum(abs(ratio), abs(ratio - 2)), 0, atol=1e-5)
    assert 0.35 < (ratio > 1).mean() < 0.65


@pytest.mark.parametrize('bias', [-6., 0.])
def test_gate_begins_at_its_bias(bias):
    net = cifar_resnet(8, 'shortcut-only gate', gate_bias=bias)
    net.initialize(mx.init.MSRAPrelu(factor_type='in', slope=0))
    net(nd.zeros((1, 1, 8, 8)))
    biases = [p.data().asnumpy() for p in net.collect_params('.*conv.*bias').values()]
    assert len(biases) == 3 and all((b == bias).all() for b in biases)


def in_words(names, layers, x):
    """Runs a word list with the numbers of `layers`, each word by its own formula."""
    for name, layer in zip(names.split(), layers, strict=True):
        x = {'conv': lambda x, layer: nd.Convolution(x, layer.weight.data(), no_bias=True,
                                                     kernel=(3, 3), pad=(1, 1), num_filter=3),
             'BN': lambda x, layer: layer(x),
             'ReLU': lambda x, layer: nd.relu(x)}[name](x, layer)
    return x


@pytest.mark.parametrize('order', ORDERS)
def test_order_is_what_its_words_say(order):
    blk, x = unit(order=order)
    branch, after = ORDERS[order]
    expected = in_words(after, blk.after, x + in_words(branch, blk.branch, x))
    assert np.allclose(blk(x).asnumpy(), expected.asnumpy(), atol=1e-5)
    assert len(blk.branch) == len(branch.split())


def test_orders_have_the_same_layers():
    words = [sorted(f'{branch} {after}'.split()) for branch, after in ORDERS.values()]
    assert all(w == ['BN', 'BN', 'ReLU', 'ReLU', 'conv', 'conv'] for w in words)


@pytest.mark.parametrize(('block', 'shortcut'), [(ShortcutBlock, 'identity'), (PlainBlock, 'none')])
@pytest.mark.parametrize('training', [False, True], ids=['predict', 'train'])
def test_original_order_is_the_net_of_notebooks_01_and_02(block, shortcut, training):
    mx.random.seed(0)
    old, new = cifar_net(20, block), cifar_resnet(20, shortcut)
    x = nd.random.uniform(shape=(4, 1, 14, 14))
    randomise(old, x)
    new.initialize()
    new(x)
    for mine, their in zip(new.collect_params().values(), old.collect_params().values(),
                           strict=True):
        mine.set_data(their.data())
    assert np.array_equal(output(new, x, training), output(old, x, training))


@pytest.mark.parametrize('depth', PARAMETERS)
def test_parameters_are_the_published(depth):
    net = cifar_resnet(depth)
    net.initialize()
    net(nd.zeros((1, 3, 4, 4)))
    assert utils.count_parameters(net) == PARAMETERS[depth]


@pytest.mark.parametrize(('shortcut', 'order'), VARIANTS)
def test_variant_of_20_layers(shortcut, order):
    net, x = cifar_resnet(20, shortcut, order), nd.random.uniform(shape=(2, 3, 14, 14))
    net.initialize(mx.init.Xavier())
    assert net(x).shape == (2, 10)
    adds_parameters = 'gate' in shortcut or '1x1' in shortcut
    assert (utils.count_parameters(net) == PARAMETERS[20]) != adds_parameters


@pytest.mark.parametrize(('shortcut', 'order', 'training'), [
    *((*variant, False) for variant in VARIANTS),
    # What dropout drops in training is drawn anew at every call.
    *((*variant, True) for variant in VARIANTS if variant[0] != 'dropout'),
])
def test_hybridized_variant_equals_the_eager_one(shortcut, order, training):
    mx.random.seed(0)
    net, x = cifar_resnet(8, shortcut, order), nd.random.uniform(shape=(4, 1, 10, 10))
    net.initialize(mx.init.Xavier())
    eager = output(net, x, training)
    net.hybridize(static_alloc=True, static_shape=True)
    assert np.allclose(output(net, x, training), eager, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('order', [o for o in ORDERS if 'pre-activation' in o])
def test_ends_of_a_pre_activation_net(order):
    net = cifar_resnet(8, order=order)
    lead = ORDERS[order][0].split('conv')[0].split()
    kinds = {'BN': nn.BatchNorm, 'ReLU': nn.Activation}
    assert isinstance(net[3].branch[0], nn.Conv2D)  # the stem has activated already
    assert isinstance(net[4].branch[0], kinds[lead[0]])
    assert [type(layer) for layer in net[6:-2]] == [kinds[word] for word in lead]


@pytest.mark.parametrize('stride', [1, 2])
def test_without_its_branch_a_pre_activation_unit_is_its_shortcut_exactly(stride):
    blk, x = unit(order='full pre-activation', channels=3 * stride, stride=stride)
    blk.branch[-1].weight.set_data(nd.zeros(blk.branch[-1].weight.shape))
    expected = x.asnumpy()[:, :, ::stride, ::stride]
    for training in (False, True):
        assert np.array_equal(output(blk, x, training)[:, :3], expected)
    assert (expected < 0).any()


@pytest.mark.parametrize(('arguments', 'message'), [
    ((21,), 'depth must be'), ((20, 'identiti'), 'shortcut is one of'),
    ((20, 'identity', 'preact'), 'order one of'),
])
def test_what_cifar_resnet_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        cifar_resnet(*arguments)


# ---------------------------------------------------------------------------------------------
# Pre-activation bottlenecks


def test_1001_layers_have_10_million_parameters():
    net = preact_resnet(1001)
    net.initialize()
    net(nd.zeros((1, 3, 8, 8)))
    weights = sum(p.data().size for p in net.collect_params('.*weight').values())
    assert (weights, utils.count_parameters(net)) == (10_178_480, 10_327_706)
    on_shortcuts = 3
    assert len(net.collect_params('.*weight').keys()) == 1001 + on_shortcuts


@pytest.mark.parametrize('depth', [2, 10, 12, 1000])
def test_what_preact_resnet_refuses(depth):
    with pytest.raises(ValueError, match=rf'depth must be 9n \+ 2 .*, not {depth}$'):
        preact_resnet(depth)


@pytest.mark.parametrize(('stride', 'downsample', 'channels'), [(1, False, 12), (2, True, 5)])
def test_pre_activation_bottleneck_computes_its_formula(stride, downsample, channels):
    mx.random.seed(0)
    blk, x = PreActBottleneck(3, stride, downsample), nd.random.normal(shape=(2, channels, 6, 6))
    randomise(blk, x)
    active = blk.activation(x)
    shortcut = (conv(active.asnumpy(), stride=stride, **numbers(blk.downsample[0]))
                if downsample else x.asnumpy())
    assert np.allclose(blk(x).asnumpy(), shortcut + blk.body(active).asnumpy(), atol=1e-4)
    assert blk(x).shape == (2, 12, 6 // stride, 6 // stride)


def test_gradient_reaches_the_first_of_1001_layers():
    mx.random.seed(0)
    net, x = preact_resnet(1001), nd.random.uniform(shape=(4, 1, 8, 8))
    net.initialize(mx.init.MSRAPrelu(factor_type='in', slope=0))
    with autograd.record():
        loss = net(x).square().mean()
    loss.backward()
    norm = net[0].weight.grad().norm().asscalar()
    assert 0 < norm < 1e12


def test_record_holds_every_variant():
    """Shortcuts at each rate once and at their best from three seeds; orders at both rates."""
    record = json.loads((ROOT / 'records' / 'seeds_06.json').read_text('utf-8'))
    shortcuts = [*SHORTCUTS, *(f'{gate} gate, b = 0' for gate in ('exclusive', 'shortcut-only'))]
    wanted = {(name, rate, 0) for name in shortcuts
              for rate in record['rates'][name]}
    wanted |= {(name, record['best_rates'][name], seed) for name in shortcuts for seed in (1, 2)}
    wanted |= {('identity' if order == 'original' else order, rate, seed)
               for order in (*ORDERS, 'original, free path') for rate in (0.02, 0.1)
               for seed in (0, 1, 2)}
    assert set(record['runs']) == {f'{name}, learning rate {rate}, seed {seed}'
                                   for name, rate, seed in wanted}
    assert all(len(run) == 6 for run in record['runs'].values()), 'six epochs each'
    for name, best in record['best_rates'].items():
        accuracies = {rate: record['runs'][f'{name}, learning rate {rate}, seed 0'][-1]['train_acc']
                      for rate in record['rates'][name]}
        assert max(accuracies, key=accuracies.get) == best
