"""Labels of every shape and type, augmentations by value, checkpoints with any content."""
import utils  # isort: skip  before mxnet, for its threads

import io
import json
import zipfile
from unittest import mock

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxnet import gluon, init, nd
from mxnet.gluon import nn

import about
import batches
import checkpoint
import training

CROSS_ENTROPY = gluon.loss.SoftmaxCrossEntropyLoss()
CLASSES = 3


# ---------------------------------------------------------------------------------------------
# Labels

NUMBERS = st.one_of(st.integers(0, CLASSES - 1), st.integers(-2, CLASSES + 1),
                    st.sampled_from([0.5, 1.0, 1.999, np.nan, np.inf, -np.inf]))
TYPES = ['bool', 'uint8', 'int8', 'int32', 'int64', 'float16', 'float32', 'float64']


@st.composite
def batch(draw):
    """Images, and labels that may be right: an array of either kind, or a list."""
    count = draw(st.integers(1, 5))
    shape = draw(st.sampled_from([(count,)] * 6 + [
        (count, 1), (1, count), (count, CLASSES), (count + 1,), (1,), (count, 1, 1)]))
    kind = draw(st.sampled_from(TYPES))
    some = NUMBERS if kind.startswith('float') else st.integers(0 if kind == 'uint8' else -1,
                                                                CLASSES)
    values = np.array(draw(st.lists(some, min_size=int(np.prod(shape)),
                                    max_size=int(np.prod(shape)))))
    labels = values.astype(kind).reshape(shape)
    images = np.random.RandomState(count).rand(count, 4).astype(np.float32)
    wrap = draw(st.sampled_from([lambda a: a, lambda a: nd.array(a, dtype=a.dtype)]))
    return nd.array(images), wrap(labels), labels


def dense(ctx):
    net = nn.Dense(CLASSES)
    utils.seed_everything(0)
    net.initialize(init.Normal(1), ctx=ctx)
    net(nd.zeros((1, 4)))
    return net


def results(images, labels, ctx):
    """What training and evaluating on one batch report."""
    net = dense(ctx)
    accuracy = utils.evaluate_accuracy([(images, labels)], net, ctx)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    row, = utils.train([(images, labels)], [(images, labels)], net, CROSS_ENTROPY, trainer, ctx, 1)
    return accuracy, row['loss'], row['train_acc'], row['test_acc']


@given(batch(), st.sampled_from([mx.cpu(), [mx.cpu(0), mx.cpu(1)]]))
def test_labels_are_class_numbers_or_refused(batch, ctx):
    images, labels, values = batch
    wide = values.astype('float64')
    if values.shape == (len(images),) and np.isin(wide, range(CLASSES)).all():
        plain = nd.array(wide, dtype='int32')
        assert results(images, labels, ctx) == results(images, plain, ctx)
        hits = dense(mx.cpu())(images).asnumpy().argmax(axis=1) == wide
        assert results(images, labels, ctx)[0] == hits.mean()
        return
    net = dense(ctx)
    trainer = gluon.Trainer(net.collect_params(), 'sgd')
    with pytest.raises(ValueError, match='label'):
        utils.evaluate_accuracy([(images, labels)], net, ctx)
    with pytest.raises(ValueError, match='label'):
        utils.train([(images, labels)], [], net, CROSS_ENTROPY, trainer, ctx, 1)


# ---------------------------------------------------------------------------------------------
# Augmentations

SIDES, CHANNELS, SEEDS = st.integers(1, 70), st.sampled_from([1, 3]), st.integers(0, 2 ** 31)


def augmented(name, picture, seed):
    utils.seed_everything(seed)
    return batches.AUGMENTATIONS[name](len(picture))(nd.array(picture, dtype='uint8')).asnumpy()


def noise(side, channels, low=0, high=256):
    return np.random.RandomState(side).randint(low, high, (side, side, channels), dtype=np.uint8)


@given(SIDES, CHANNELS, SEEDS)
def test_pictures_in_batches_are_normalised_and_mirrored_or_not(side, channels, seed):
    pictures = np.stack([noise(side, channels)] * 8)
    about = {'size': side, **batches.mean_and_std(pictures)}
    utils.seed_everything(seed)
    with mock.patch('gc.collect'):  # which DataLoader calls, and which takes most of the time
        train, val = batches.loaders((pictures, np.arange(8)), (pictures, np.arange(8)), about, 8,
                                     ['flip'])
    expected = (pictures[0] / 255 - about['mean']) / about['std']
    (x, _), = val
    for found in x.asnumpy():
        np.testing.assert_allclose(found, expected.transpose(2, 0, 1), atol=1e-3)
    (x, _), = train
    for found in x.asnumpy().transpose(0, 2, 3, 1):
        assert any(np.abs(found - right).max() < 1e-3 for right in (expected, expected[:, ::-1]))


def test_half_of_the_pictures_are_mirrored():
    picture = noise(11, 3)
    mirrored = [np.array_equal(augmented('flip', picture, seed), picture[:, ::-1])
                for seed in range(100)]
    assert 30 < sum(mirrored) < 70


@given(SIDES, CHANNELS, SEEDS)
def test_a_crop_is_a_rectangle_resized(side, channels, seed):
    ramp = np.arange(side) * 3
    upright = np.broadcast_to(ramp[:, None, None], (side, side, channels)).astype(np.uint8)
    found = [augmented('crop', picture, seed)[..., 0].astype(int)
             for picture in (upright, upright.transpose(1, 0, 2))]
    assert found[0].shape == (side, side)
    edges = []
    for picture in (found[0].T, found[1]):
        assert np.abs(picture - picture[0]).max() <= 1  # roundings
        start, length = (part.ravel() for part in np.meshgrid(np.arange(side), 1 + np.arange(side)))
        at = (np.arange(side) + 0.5) * length[:, None] / side - 0.5
        expected = 3 * (start[:, None] + at.clip(0, length[:, None] - 1))
        fits = (np.abs(expected - picture[0]).max(axis=1) <= 1) & (start + length <= side)
        edges.append(length[fits])
        assert fits.any()
    assert side < 8 or edges[0].max() * edges[1].max() > 0.5 * side ** 2


@given(SIDES, CHANNELS, SEEDS)
def test_light_is_one_brightness_and_one_contrast(side, channels, seed):
    picture = noise(side, channels, 60, 161)
    found = augmented('light', picture, seed).astype(float)
    inside = (found > 0) & (found < 255)
    values = picture[inside].astype(float)
    grey = (picture @ ([1] if channels == 1 else [0.299, 0.587, 0.114])).mean()
    if len(set(values)) == 1:
        assert channels == 1 and 0.7 * grey - 2 <= found.mean() <= 1.3 * grey
        return
    slope, offset = np.polyfit(values, found[inside], 1)
    assert np.abs(slope * values + offset - found[inside]).max() < 2
    if side > 5:
        assert 0.7 ** 2 - 0.02 < slope < 1.3 ** 2 + 0.02
        assert 0.7 * grey - 2 < slope * grey + offset < 1.3 * grey + 2


@given(st.integers(1, 9), st.integers(1, 9), CHANNELS)
def test_mean_and_std_are_numpys(count, side, channels):
    images = np.random.RandomState(count).randint(0, 256, (count, side, side, channels), np.uint8)
    found, values = batches.mean_and_std(images), images.reshape(-1, channels) / 255
    np.testing.assert_allclose(found['mean'], values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found['std'], values.std(axis=0).clip(1e-3), rtol=1e-9)


# ---------------------------------------------------------------------------------------------
# Checkpoints

ABOUT = {'depth': 18, 'classes': ['猫', 'a dog'], 'stride_on_first': False, 'size': 16,
         'grey': True, 'mean': [0.5], 'std': [0.2], 'settings': {'lr': 0.1},
         'history': [dict.fromkeys(about.ROW, 1)]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    | st.sampled_from([18, 1, 0.5, 10 ** 400]),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(
        st.sampled_from([*ABOUT, *about.ROW, 'num_update', 'a']), some, max_size=3),
    max_leaves=5)


def small_net(about):
    net = nn.HybridSequential(prefix='')
    net.add(nn.Conv2D(2, kernel_size=3), nn.BatchNorm(), nn.Dense(len(about['classes'])))
    return net


@pytest.fixture(scope='module')
def parts(tmp_path_factory):
    """The members of a checkpoint of a small net, by name; such nets stand for all depths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, 'new_net', small_net)
        path = tmp_path_factory.mktemp('parts') / 'last.ckpt'
        net = small_net(ABOUT)
        net.initialize()
        trainer = training.new_trainer(net, 0.1, 1, 1)
        with mx.autograd.record():
            value = net(nd.ones((1, 1, 32, 32))).sum()
        value.backward()
        trainer.step(1)
        checkpoint.save(path, net, ABOUT, trainer)
        with zipfile.ZipFile(path) as archive:
            yield {name: archive.read(name) for name in archive.namelist()}


def packed(parts):
    """The bytes of a zip archive with right checksums."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w') as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def check(content, tmp_path_factory):
    """A file with this content gives a net that works, or ValueError."""
    path = tmp_path_factory.getbasetemp() / 'any.ckpt'
    path.write_bytes(content)
    try:
        net, about = checkpoint.load(path, mx.cpu())
        net(nd.zeros((1, 1 if about['grey'] else 3, 32, 32))).wait_to_read()
        checkpoint.load_trainer(path, training.new_trainer(net, 0.1, 1, 1))
    except ValueError as error:
        assert str(path) in str(error)


@given(JSON | st.tuples(st.sampled_from([*ABOUT, 'format', None]), JSON))
def test_any_json_as_about(parts, tmp_path_factory, value):
    if isinstance(value, tuple):  # one entry is another
        value = {**json.loads(parts['about.json']), value[0]: value[1]}
    check(packed({**parts, 'about.json': json.dumps(value)}), tmp_path_factory)


@given(JSON)
def test_any_json_as_state_of_the_trainer(parts, tmp_path_factory, value):
    check(packed({**parts, 'trainer.json': json.dumps(value)}), tmp_path_factory)


@given(st.sampled_from(['net.params', 'trainer.params', 'about.json', 'trainer.json']),
       st.lists(st.tuples(st.integers(0, 2 ** 16), st.binary(min_size=1, max_size=8)), min_size=1,
                max_size=3), st.integers(-2 ** 10, 2 ** 5))
def test_any_bytes_under_right_checksums(parts, tmp_path_factory, name, changes, longer):
    content = bytearray(parts[name])
    for place, others in changes:
        place %= len(content)
        content[place:place + len(others)] = others
    content = content[:longer] if longer < 0 else content + bytes(longer)
    check(packed({**parts, name: bytes(content)}), tmp_path_factory)


@given(st.lists(st.tuples(st.integers(0, 2 ** 16), st.binary(min_size=1, max_size=4)), min_size=1,
                max_size=3))
def test_any_damage_to_the_archive(parts, tmp_path_factory, changes):
    content = bytearray(packed(parts))
    for place, others in changes:
        place = -place % len(content)  # the directory is at the end
        content[place:place + len(others)] = others
    check(bytes(content), tmp_path_factory)


@given(st.sampled_from(['net.params', 'trainer.params']),
       st.sampled_from(['float16', 'float64', 'int32', 'uint8', 'float32']),
       st.sampled_from(['as it is', 'shape', 'missing', 'extra', 'nan', 'list', 'empty']))
def test_arrays_of_every_kind(parts, tmp_path_factory, name, kind, change):
    arrays = checkpoint.read_arrays(parts[name])
    first = min(arrays)
    arrays = {key: nd.array(array, dtype=kind) for key, array in arrays.items()}
    if change == 'shape':
        arrays[first] = nd.zeros((7, 5), dtype=kind)
    elif change == 'missing':
        del arrays[first]
    elif change == 'extra':
        arrays['x'] = nd.zeros(3)
    elif change == 'nan':
        arrays[first] = arrays[first] * 0 + float('nan')
    path = tmp_path_factory.getbasetemp() / 'arrays'
    nd.save(str(path), [*arrays.values()] if change == 'list' else {} if change == 'empty'
            else arrays)
    content = packed({**parts, name: path.read_bytes()})
    check(content, tmp_path_factory)
    if kind == 'float32' and change != 'as it is':
        (path.parent / 'any.ckpt').write_bytes(content)
        with pytest.raises(ValueError, match=r'any\.ckpt'):
            net, _ = checkpoint.load(path.parent / 'any.ckpt', mx.cpu())
            checkpoint.load_trainer(path.parent / 'any.ckpt', training.new_trainer(net, 1, 1, 1))
