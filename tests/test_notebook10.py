"""Notebook 10's functions, taken out of the stored notebook, and its record."""
import json

import utils  # before mxnet, for its threads

import nbformat
import numpy as np
import pytest
from mxnet import nd
from mxnet.gluon.model_zoo import vision
from rules import ROOT

from tools.notebook import NOTEBOOKS, notebook_names

NAME = '10_transfer_learning'
# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'def new_net(', 'def train_steps(', 'def learn(',
         'def zoo_features(', 'def for_imagenet(')
FROZEN = ('frozen', 'frozen by grad_req', 'frozen by the trainer')


@pytest.fixture(scope='module')
def names():
    return notebook_names(NAME, CELLS)


def pictures(names, count, seed):
    """`count` noisy 14 x 14 pictures of four classes, told apart by their brightness."""
    random = np.random.RandomState(seed)
    labels = np.arange(count) % 4
    noise = random.uniform(size=(count, 1, 14, 14))
    return nd.array(labels.reshape(-1, 1, 1, 1) / 4 + noise / 8, ctx=names['ctx']), labels


@pytest.fixture(scope='module')
def data(names):
    parts = ('pool', 'held out', 'test')
    return {part: pictures(names, 80, seed) for seed, part in enumerate(parts)}


@pytest.fixture(scope='module')
def base(names):
    """A net for six classes whose running statistics are not those of the pictures."""
    net = names['new_net'](6, seed=0)
    for parameter in net.collect_params('.*running_var').values():
        parameter.set_data(nd.random.uniform(0.5, 2, parameter.shape))
    return net


def values(net):
    return [p.data().asnumpy() for p in net[:-1].collect_params().values()]


def test_divide_keeps_old_and_new_apart(names):
    labels = np.arange(4000) % 10
    images = nd.array(labels, ctx=names['ctx'])  # each image says its class
    parts = names['divide']((6, 7, 8, 9), images, labels, images, labels)
    for name, (found, counted) in parts.items():
        first = 0 if name.startswith('old') else 6
        assert np.array_equal(found.asnumpy(), counted + first), name
    sizes = {name: len(found) for name, (found, _) in parts.items()}
    assert sizes == {'old': 2400, 'old test': 2400, 'held out': 1000, 'pool': 600, 'test': 1600}


def test_labelled_images_are_nested_and_balanced(names):
    labels = np.arange(4000) % 4
    pool = nd.arange(4000, ctx=names['ctx']), labels
    sets = []
    for n in names['LABELS']:
        chosen, classes = names['labelled'](pool, n, seed=1)
        assert np.array_equal(np.bincount(classes), 4 * [n])
        assert np.array_equal(chosen.asnumpy() % 4, classes)
        sets.append(set(chosen.asnumpy()))
    assert sets[0] < sets[1] < sets[2]
    assert set(names['labelled'](pool, 10, seed=2)[0].asnumpy()) != sets[0]


def test_every_image_comes_once_before_any_comes_again(names):
    images = nd.arange(40, ctx=names['ctx'])
    found = list(names['batches'](images, np.arange(40), steps=5, batch_size=32))
    assert [x.shape for x, _ in found] == 5 * [(32,)]
    assert all((x == y).min().asscalar() for x, y in found)
    order = np.concatenate([x.asnumpy() for x, _ in found])
    assert all(len(set(order[i:i + 40])) == 40 for i in range(0, 160, 40))


def test_new_net_copies_all_but_the_output(names, base):
    net = names['new_net'](4, 1, base)
    assert all(np.array_equal(*pair) for pair in zip(values(net), values(base), strict=True))
    assert net[-1].weight.shape == (4, 64)
    assert not np.array_equal(values(names['new_net'](4, 1))[0], values(base)[0])


@pytest.mark.parametrize('way', FROZEN)
def test_frozen_weights_stay_to_the_bit(names, data, base, way):
    before = values(base)
    net = names['learn'](way, data, base, 10, 0, 0.1, steps=3)
    same = {'weights': [], 'statistics': []}
    for parameter, mine, theirs in zip(net[:-1].collect_params().values(), values(net),
                                       values(base), strict=True):
        kind = 'statistics' if 'running' in parameter.name else 'weights'
        same[kind].append(np.array_equal(mine, theirs))
    assert len(same['weights']) == 57 and all(same['weights'])
    if way == 'frozen':
        assert all(same['statistics'])
    if way == 'frozen by the trainer':
        assert not any(same['statistics'])
    assert all(np.array_equal(*pair) for pair in zip(before, values(base), strict=True))


def test_fine_tuning_changes_a_copy(names, data, base):
    before = values(base)
    net = names['learn']('fine-tuned', data, base, 10, 0, 0.1, steps=3)
    assert not any(np.array_equal(*pair) for pair in zip(before, values(net), strict=True))
    assert all(np.array_equal(*pair) for pair in zip(before, values(base), strict=True))


def test_frozen_features_are_enough_for_easy_pictures(names, data, base):
    net = names['learn']('frozen', data, base, 10, 0, 0.03)
    assert names['accuracy'](net, *data['test']) > 0.7


# ---------------------------------------------------------------------------------------------
# The model zoo


def test_notebook_goes_on_when_the_download_fails(names, silent_host, capsys):
    silent_host.close()  # now nobody listens
    stored = nbformat.read(NOTEBOOKS / f'{NAME}.ipynb', as_version=4)
    [cell] = [c.source for c in stored.cells if c.source.startswith('if PRETRAINED')]
    assert not names['PRETRAINED']  # what is stored
    exec(cell, {**names, 'PRETRAINED': True})
    message = capsys.readouterr().out
    assert message.startswith('No ImageNet weights: ') and '127.0.0.1' in message
    assert 'goes on without them' in message


def test_download_from_a_silent_host_ends(names, silent_host, capsys):
    assert names['zoo_features'](seconds=3) is None
    assert 'no download within 3 seconds' in capsys.readouterr().out


def test_images_are_normalised_for_imagenet(names):
    seen = names['for_imagenet'](nd.ones((2, 1, 28, 28), ctx=names['ctx'])).asnumpy()
    assert seen.shape == (2, 3, 64, 64)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    assert np.allclose(seen, expected.reshape(1, 3, 1, 1), atol=1e-5)


def test_output_layer_learns_from_the_zoo_s_features(names, data):
    utils.seed_everything(0)
    net = vision.resnet18_v1()  # random weights: the real ones may not be had
    net.initialize(ctx=names['ctx'])
    assert names['learn_from_zoo'](net.features, data, 10) > 0.5


# ---------------------------------------------------------------------------------------------
# The record


def test_record_is_complete():
    record = json.loads((ROOT / 'records' / 'seeds_10.json').read_text())
    assert record['seeds'] == [0, 1, 2]
    first, second = record['runs']['first six'], record['runs']['last six']
    for method in ('from scratch', 'frozen', 'fine-tuned'):
        for n in (10, 50, 200):
            tried, other = ([row for row in rows if (row['method'], row['labels'], row['steps'])
                             == (method, n, record['steps'])] for rows in (first, second))
            assert len({row['learning_rate'] for row in tried}) == len(tried) == 4
            # The second choice takes the rate that the first one's held-out images chose.
            best = max(tried, key=lambda row: np.mean(row['held_out']))
            assert [row['learning_rate'] for row in other] == [best['learning_rate']]
    assert all(len(row['test']) == len(row['held_out']) == 3 for row in first + second)
