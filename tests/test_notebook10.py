"""Notebook 10's functions, taken out of the stored notebook, and its record."""
import contextlib
import json

import utils  # noqa: F401  before mxnet, for its threads

import numpy as np
import pytest
from mxnet import nd
from rules import ROOT

from tools.notebook import notebook_names

NAME = '10_transfer_learning'
# The cells that it takes, by a line of each.
CELLS = ('ctx = utils.try_gpu()', 'def augmented(', 'def new_net(', 'def train_steps(',
         'class Frozen(', 'def learn(', 'def best_rate(')
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
    images = nd.arange(40, ctx=names['ctx']).reshape((40, 1, 1, 1))
    found = list(names['batches'](images, np.arange(40), 5, 32, shift=0, flip=True))
    assert [x.shape for x, _ in found] == 5 * [(32, 1, 1, 1)]
    assert all((x.reshape(-1) == y).min().asscalar() for x, y in found)
    order = np.concatenate([y.asnumpy() for _, y in found])
    assert all(len(set(order[i:i + 40])) == 40 for i in range(0, 160, 40))


def test_augmentation_shifts_and_mirrors(names):
    image = np.arange(1, 13, dtype='float32').reshape(1, 3, 4)
    images = np.stack(200 * [image])
    assert np.array_equal(names['augmented'](images, shift=0, flip=False), images)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, top:top + 3, left:left + 4] for top in range(3) for left in range(3)]
    mirrored = [version[:, :, ::-1] for version in shifted]
    for flip, versions in ((False, shifted), (True, shifted + mirrored)):
        np.random.seed(0)
        found = {version.tobytes() for version in names['augmented'](images, 1, flip)}
        assert found == {version.tobytes() for version in versions}


def test_recipes_differ_in_what_their_names_say(names):
    both, no_flips, neither = (names['RECIPES'][name] for name in ('all', 'no flips', 'neither'))
    assert no_flips == {**both, 'flip': False} and both['flip'] and both['shift']
    assert not any(neither.values()) and both['decay']


def test_weight_decay_shrinks_what_gets_no_gradient(names):
    images = nd.zeros((8, 1, 14, 14), ctx=names['ctx'])  # so no weight of the stem gets any
    for recipe, kept in (('neither', True), ('all', False)):
        net = names['new_net'](4, 0)
        before = values(net)[0]
        with contextlib.redirect_stdout(None):
            names['train_steps'](net, (images, np.arange(8) % 4), (images, np.arange(8) % 4), 0.1,
                                 5, recipe=recipe)
        assert np.array_equal(values(net)[0], before) == kept
        assert np.abs(values(net)[0]).sum() <= np.abs(before).sum()


def test_new_net_copies_all_but_the_output(names, base):
    net = names['new_net'](4, 1, base)
    assert all(np.array_equal(*pair) for pair in zip(values(net), values(base), strict=True))
    assert net[-1].weight.shape == (4, 64)
    assert not np.array_equal(values(names['new_net'](4, 1))[0], values(base)[0])


@pytest.mark.parametrize('way', FROZEN)
def test_frozen_weights_stay_to_the_bit(names, data, base, way):
    before = values(base)
    net, _ = names['learn'](way, data, base, 10, 0, 0.1, steps=3)
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
    net, _ = names['learn']('fine-tuned', data, base, 10, 0, 0.1, steps=3)
    assert not any(np.array_equal(*pair) for pair in zip(before, values(net), strict=True))
    assert all(np.array_equal(*pair) for pair in zip(before, values(base), strict=True))


def test_frozen_features_are_enough_for_easy_pictures(names, data, base):
    net, row = names['learn']('frozen', data, base, 10, 0, 0.03, recipe='neither')
    assert names['accuracy'](net, *data['test']) > 0.7
    assert row['test_acc'] == names['accuracy'](net, *data['held out'])


# ---------------------------------------------------------------------------------------------
# The record


def test_best_rate_is_that_of_the_held_out_images(names):
    runs = {}
    for rate in names['RATES']:
        for seed in names['SEEDS']:
            rows = [{'test_acc': 0.9 - abs(rate - 0.03)}, {'test_acc': rate}]
            runs[names['run_name']('frozen', 10, rate, seed)] = rows
    assert names['best_rate'](runs, 'frozen', 10) == 0.03
    assert names['recorded'](runs, 'test', 'frozen', 10, 0.03) == [0.03] * 3


def test_best_rate_may_be_that_of_a_recipe(names):
    runs = {names['run_name']('frozen', 10, rate, seed, recipe='neither'): [{'test_acc': rate}]
            for rate in names['RATES'] for seed in names['SEEDS']}
    assert names['best_rate'](runs, 'frozen', 10, recipe='neither') == max(names['RATES'])


def test_record_has_what_the_notebook_asks_for(names):
    runs = json.loads((ROOT / 'records' / 'seeds_10.json').read_text())['runs']
    assert all(len(rows) == 2 for rows in runs.values())
    asked = 0
    for method in names['METHODS']:
        for n in names['LABELS']:
            rate = names['best_rate'](runs, method, n)  # has asked for every rate
            options = [{'choice': 'last six'}, {'steps': 800}]
            if n == 10:
                names['best_rate'](runs, method, n, recipe='neither')  # asks for every rate
                asked += len(names['RATES']) * len(names['SEEDS'])
            options += [{'recipe': 'no flips' if n == 10 else 'neither'}]
            for option in options:
                asked += len(names['recorded'](runs, 'test', method, n, rate, **option))
    for way in ('frozen by the trainer', 'frozen by grad_req'):
        for n in names['LABELS']:
            rate = names['best_rate'](runs, 'frozen', n)
            asked += len(names['recorded'](runs, 'test', way, n, rate))
    assert len(runs) == asked + 3 * 3 * len(names['RATES']) * len(names['SEEDS'])
