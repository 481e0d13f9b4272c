"""What notebook 12 defines: seven successors of the residual block, and better recipes."""
import contextlib
import json

import utils

import numpy as np
import pytest
from mxnet import autograd, init, nd
from rules import ROOT

from tools.notebook import notebook_names

NAME = '12_after_resnet'
# The cells that it takes, by a line of each; none of them trains.
CELLS = ('def conv(', 'def resnext(', 'class Gate(', 'class Sometimes(', 'class Dense(',
         'def convnext(', 'class Attention(', 'def small_net(', 'nets = {', 'class Changed:',
         'RECIPES = {')


@pytest.fixture(scope='module')
def names():
    with contextlib.redirect_stdout(None):
        return notebook_names(NAME, CELLS)


def run(layer, x):
    utils.seed_everything(0)
    layer.initialize(init.Normal(0.5))
    return layer(x)


@pytest.fixture
def x():
    utils.seed_everything(1)
    return nd.random.normal(shape=(2, 16, 5, 3))


def test_gate_scales_each_channel_by_one_number(names, x):
    ratio = (run(names['Gate'](16), x) / x).asnumpy().reshape(2, 16, -1)
    assert np.allclose(ratio, ratio[..., :1], rtol=1e-4)
    assert 0 < ratio.min() and ratio.max() < 1 and ratio.std() > 0.01


def test_sometimes_drops_whole_images_and_keeps_the_mean(names):
    layer, ones = names['Sometimes'](0.2), nd.ones((4000, 2, 2, 2))
    with autograd.record():
        dropped = layer(ones).asnumpy().reshape(4000, -1)
    assert (dropped == dropped[:, :1]).all() and set(np.unique(dropped)) == {0, np.float32(1.25)}
    assert abs((dropped == 0).mean() - 0.2) < 0.03
    assert (layer(ones) == ones).min().asscalar() == 1


def test_dense_block_hands_on_its_input(names, x):
    out = run(names['Dense'](4), x)
    assert out.shape == (2, 20, 5, 3) and np.array_equal(out[:, :16].asnumpy(), x.asnumpy())


def test_layer_norm_is_over_the_channels_of_a_pixel(names, x):
    out = run(names['LayerNorm'](), x).asnumpy()
    values = x.asnumpy()
    mean, variance = values.mean(axis=1, keepdims=True), values.var(axis=1, keepdims=True)
    assert np.allclose(out, (values - mean) / np.sqrt(variance + 1e-5), atol=1e-5)


def test_attention_equals_its_formula(names, x):
    layer = names['Attention'](16, heads=4)
    out = run(layer, x).asnumpy()
    def dense(conv, values):
        return (conv.weight.data().asnumpy()[:, :, 0, 0] @ values
                + conv.bias.data().asnumpy()[:, None])
    for image, found in zip(x.asnumpy(), out, strict=True):
        q, k, v = np.split(dense(layer.qkv, image.reshape(16, -1)), 3)
        heads = []
        for i in range(0, 16, 4):
            scores = q[i:i + 4].T @ k[i:i + 4] / 4 ** 0.5
            a = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            heads.append(v[i:i + 4] @ a.T)
        expected = dense(layer.out, np.concatenate(heads)).reshape(16, 5, 3)
        assert np.allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_without_places_the_transformer_does_not_know_where_a_patch_lies(names, x):
    layer = names['Encoder'](16)
    out = run(layer, x).asnumpy()
    turned = layer(x[:, :, ::-1]).asnumpy()
    assert np.allclose(turned, out[:, :, ::-1], rtol=1e-3, atol=1e-4)


def test_nets_have_the_shape_and_price_that_is_asked(names):
    for make in names['nets'].values():
        net = utils.init_net(make(), seed=0)
        assert net(nd.zeros((2, 1, 14, 14))).shape == (2, 10)
        assert 4.5e6 < utils.count_multiply_adds(make(), (1, 1, 14, 14)) < 6e6


def test_loss_of_changed_batches_is_the_cross_entropy_of_blended_smoothed_labels(names):
    utils.seed_everything(0)
    x, y = nd.random.normal(shape=(4, 1, 14, 14)), nd.array([0, 1, 2, 9], dtype='int32')
    out = nd.random.normal(shape=(4, 10))
    changed = names['Changed']([(x, y)], moved=False, smoothing=0.1, mixup=0.2)
    [(blended, same)] = changed
    share = changed.share
    assert np.allclose(blended.asnumpy(), (share * x + (1 - share) * x.flip(axis=0)).asnumpy())
    hot = np.eye(10)[y.asnumpy()]
    labels = share * hot + (1 - share) * hot[::-1]
    labels = 0.9 * labels + 0.01
    expected = -(labels * nd.log_softmax(out).asnumpy()).sum(axis=1)
    assert same is y and np.allclose(changed.loss(out, y).asnumpy(), expected, rtol=1e-4)


def test_images_move_by_up_to_a_pixel(names):
    image = np.arange(1, 197, dtype='float32').reshape(1, 1, 14, 14)
    x = nd.array(np.repeat(image, 100, axis=0))
    np.random.seed(0)
    [(moved, _)] = names['Changed']([(x, None)], moved=True)
    padded = np.pad(image[0, 0], 1)
    possible = {padded[i:i + 14, j:j + 14].tobytes() for i in range(3) for j in range(3)}
    assert {one[0].tobytes() for one in moved.asnumpy()} == possible


def test_recipes_add_one_step_each(names):
    recipes = [recipe for recipe in names['RECIPES'].values() if recipe['epochs'] == 18]
    for before, after in zip(recipes, recipes[1:], strict=False):
        assert before.items() < after.items() and len(after) == len(before) + 1
    assert names['RECIPES']['60 epochs, all five'] == {**recipes[-1], 'epochs': 60}


def test_record_is_complete(names):
    record = json.loads((ROOT / 'records' / 'after_12.json').read_text())
    assert set(record['best_rates']) == set(names['nets'])
    for net, rate in record['best_rates'].items():
        errors = {other: 1 - record['runs'][f'{net}, as before, rate {other}, seed 0'][-1]
                  ['train_acc'] for other in record['rates']}
        assert min(errors, key=errors.get) == rate
        for seed in record['seeds']:
            assert len(record['runs'][f'{net}, as before, rate {rate}, seed {seed}']) == 6
    for recipe, options in names['RECIPES'].items():
        rate = record['best_rates']['ResNet']
        assert all(len(record['runs'][f'ResNet, {recipe}, rate {rate}, seed {seed}'])
                   == options['epochs'] for seed in record['seeds'])
