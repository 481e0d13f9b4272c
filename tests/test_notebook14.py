"""Notebook 14: its net, the pieces of its recipe, and the record of its staircase."""
import contextlib
import json

import utils

import numpy as np
import pytest
from mxnet import init, nd
from rules import ROOT

from records import budget_14, steps_75


@pytest.fixture(scope='module')
def names():
    with contextlib.redirect_stdout(None):
        return steps_75.names()


@pytest.fixture(scope='module')
def record():
    return json.loads((ROOT / 'records' / 'steps_75.json').read_text())


@pytest.fixture
def few():
    """The first 640 training images, and their labels."""
    return utils.read_fashion_mnist('train', 640)


def test_fast_resnet_costs_what_its_layers_do(names):
    inputs, pixels, total = 8, 28 ** 2, 8 * 9 * 28 ** 2
    for channels, side in ((16, 14), (32, 7), (64, 4), (128, 2)):
        pixels = side ** 2
        total += pixels * (9 * inputs * channels + 9 * channels ** 2 + inputs * channels)
        inputs = channels
    assert utils.count_multiply_adds(names['fast_resnet'](), (1, 1, 28, 28)) == total + 1280


@pytest.mark.parametrize('side', [28, 29, 14])
def test_the_shortcut_is_a_convolution_of_means(names, side):
    block = names['PooledBlock'](5)
    block.initialize(init.Normal(0.5))
    x = nd.random.uniform(shape=(2, 3, side, side))
    block(x)
    block.body[-1].gamma.set_data(nd.zeros(5))  # the branch is 0
    weight = block.shortcut[1].weight.data().asnumpy()[:, :, 0, 0]
    half = (side + 1) // 2
    means = np.array([[x.asnumpy()[:, :, 2 * i:2 * i + 2, 2 * j:2 * j + 2].mean(axis=(2, 3))
                       for j in range(half)] for i in range(half)])
    expected = np.maximum(np.einsum('ijnc,kc->nkij', means, weight), 0) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(block(x).asnumpy(), expected, rtol=1e-4, atol=1e-6)


def test_the_rate_rises_for_a_fifth_and_ends_at_0(names):
    assert [names['triangle'](done) for done in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0])


def test_half_of_the_images_are_mirrored_each_as_a_whole(names):
    utils.seed_everything(0)
    images = np.random.randint(0, 256, (400, 28, 28)).astype('uint8')
    before = images.copy()
    turned = names['mirrored'](images)
    same = (turned == images).all(axis=(1, 2))
    assert 150 < same.sum() < 250 and (images == before).all()
    assert (turned[~same] == images[~same][:, :, ::-1]).all()


def test_moved_images_keep_their_pixels(names):
    utils.seed_everything(0)
    images = np.zeros((300, 28, 28), 'uint8')
    images[:, 10, 20] = 7
    moved = steps_75.moved(images)
    assert moved.shape == images.shape and (moved.sum(axis=(1, 2)) == 7).all()
    where = {tuple(position) for position in np.argwhere(moved)[:, 1:]}
    assert where == {(i, j) for i in (9, 10, 11) for j in (19, 20, 21)}


def test_who_is_left_out_is_easy_and_counted_for_by_others(names):
    utils.seed_everything(0)
    last = np.concatenate([np.full(3000, 0.1), np.full(1096, 5.)])
    mean_weight = np.zeros(len(last))
    for _ in range(100):
        order, weights = names['chosen'](last, 0.75)
        assert len(order) % 128 == 0 and len(set(order)) == len(order)
        assert set(weights[last[order] == 5]) == {1} and set(weights[last[order] < 1]) == {4}
        assert (last[order] == 5).sum() >= 1096 - 127  # but for those of no full batch
        mean_weight[order] += weights / 100
    assert mean_weight.mean() == pytest.approx(1, abs=0.05)


def test_with_nothing_left_out_all_count_alike(names):
    order, weights = names['chosen'](np.arange(1280.), 0)
    assert sorted(order) == list(range(1280)) and set(weights) == {1}


def test_training_says_what_it_showed(names, few):
    net = utils.init_net(names['fast_resnet'](), 0)
    history = names['train_fast'](net, *few, epochs=3, judge=few)
    assert len(history) == 3 and history[0]['images'] == history[2]['images'] == 640
    assert history[1]['images'] % 128 == 0
    assert history[2]['loss'] < history[0]['loss'] and history[2]['acc'] > 0.4
    assert all(row['time'] > 0 for row in history)


def test_a_loss_that_is_no_number_ends_the_training(names, few):
    net = utils.init_net(names['fast_resnet'](), 0)
    with pytest.raises(FloatingPointError, match='epoch 1 is no number'):
        names['train_fast'](net, *few, epochs=2, peak=1e30, schedule=names['steady'])


def test_two_views_add_the_mirror_images_probabilities(names):
    """A net that is asked twice answers as one that averages; it sees 1,000 images in two parts."""
    net = utils.init_net(names['fast_resnet'](), 3)
    images, labels = utils.read_fashion_mnist('test', 1000)
    views = [net(utils.as_input(view)).softmax().asnumpy() for view in (images, images[:, :, ::-1])]
    for count in (1, 2):
        right = (sum(views[:count]).argmax(axis=1) == labels).mean()
        assert names['accuracy'](net, images, labels, views=count) == pytest.approx(right, abs=2e-3)


def test_the_staircase_was_climbed_by_the_notebooks_steps(names, record):
    assert record['steps'] == steps_75.steps()
    for step in names['STEPS']:
        for seed in range(3):
            assert f'{step}, seed {seed}' in record['runs']


def test_each_step_changes_one_thing_and_all_cost_the_same(names, record):
    steps = list(record['steps'].values())
    for before, after in zip(steps, steps[1:], strict=False):
        assert 1 <= sum(before[key] != after[key] for key in before) <= 2
    shown = [rows[0]['images'] for run, rows in record['runs'].items()
             if 'test images' not in run and 'fifth' not in run]
    assert max(shown) < 1.06 * min(shown)


def test_both_nets_ran_for_about_each_budget():
    runs = json.loads((ROOT / 'records' / 'budget_14.json').read_text())['runs']
    for net in budget_14.TRIED:
        for budget, seeds in budget_14.SEEDS.items():
            for seed in seeds:
                seconds = runs[f'{net}, {budget} seconds, seed {seed}']['seconds']
                assert 0.8 * budget < seconds < 1.25 * budget
