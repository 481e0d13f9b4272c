"""utils.py: devices, threads, data, training, counting and plots."""
import contextlib
import functools
import gc
import gzip
import itertools
import os
import re
import subprocess
import sys
import weakref

import utils

import mxnet as mx
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from loky import cpu_count
from matplotlib import pyplot as plt
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision
from mxnet.lr_scheduler import FactorScheduler
from rules import ROOT

from resnet import PlainBlock, Residual, ResNet, ShortcutBlock, cifar_net

DATA = ROOT / 'data' / 'fashion-mnist'
CPU, CPUS = mx.cpu(), [mx.cpu(0), mx.cpu(1)]
HAS_GPU = utils.try_gpu() != CPU


def values(net, ctx=CPU):
    """The numbers of all parameters, BN's running statistics included, on one device."""
    return [p.data(ctx).asnumpy() for p in net.collect_params().values()]


def assert_equal(some, others):
    for a, b in zip(some, others, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(some, others):
    for a, b in zip(some, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------------------------------
# Devices


@pytest.mark.skipif(HAS_GPU, reason='there is a GPU')
def test_without_cuda_the_device_is_the_cpu_and_nothing_is_printed(capfd):
    assert utils.try_gpu() == utils.try_gpu(3) == CPU
    assert utils.try_all_gpus() == [CPU]
    assert capfd.readouterr() == ('', '')


@pytest.mark.skipif(HAS_GPU, reason='there is a GPU')
def test_with_cuda_but_without_gpu_the_device_is_the_cpu(monkeypatch):
    monkeypatch.setattr(mx.runtime.Features, 'is_enabled', lambda self, name: True)
    assert utils.try_gpu() == utils.try_gpu(3) == CPU
    assert utils.try_all_gpus() == [CPU]


def test_devices_are_the_gpus_that_can_hold_an_array(monkeypatch):
    zeros = nd.zeros

    def two_gpus(shape, ctx):
        if ctx.device_id >= 2:
            raise mx.MXNetError('invalid device ordinal')
        return zeros(shape)

    monkeypatch.setattr(mx.runtime.Features, 'is_enabled', lambda self, name: True)
    monkeypatch.setattr(nd, 'zeros', two_gpus)
    assert [utils.try_gpu(i) for i in range(3)] == [mx.gpu(0), mx.gpu(1), CPU]
    assert utils.try_all_gpus() == [mx.gpu(0), mx.gpu(1)]


# ---------------------------------------------------------------------------------------------
# What `import utils` does, in a fresh Python

WATCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == 'mxnet':
            print(os.environ.get('OMP_NUM_THREADS'))
sys.meta_path.insert(0, Watch())
"""


def python(code, **variables):
    """The words that a fresh Python prints, and its stderr."""
    env = {name: value for name, value in os.environ.items() if name != 'OMP_NUM_THREADS'}
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=env | variables,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def test_threads_are_set_before_mxnet_loads():
    words, err = python(WATCH + 'import utils')
    assert words == [str(cpu_count(only_physical_cores=True))]
    assert err == ''


@pytest.mark.parametrize('modules', ['utils, mxnet', 'mxnet, utils'])
def test_threads_that_the_user_set_are_left_alone(modules):
    words, err = python(f'{WATCH}import {modules}\nprint(os.environ["OMP_NUM_THREADS"])',
                        OMP_NUM_THREADS='3')
    assert words == ['3', '3']
    assert err == ''


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='no affinity on this system')
def test_threads_follow_the_affinity():
    words, _ = python('import os\n'
                      'os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n'
                      'import utils\n'
                      'print(os.environ["OMP_NUM_THREADS"])')
    assert words == ['1']


@pytest.mark.skipif(os.cpu_count() == 1, reason='one core has nothing to share')
@pytest.mark.parametrize(('limits', 'threads'), [
    ({'cpu.max': '100000 100000'}, 1), ({'cpu.max': '50000 100000'}, 1),
    ({'cpu.max': 'max 100000'}, None),
    # Where Linux still has the first version of cgroups.
    ({'cpu/cpu.cfs_quota_us': '50000', 'cpu/cpu.cfs_period_us': '100000'}, 1),
    ({'cpu/cpu.cfs_quota_us': '-1', 'cpu/cpu.cfs_period_us': '100000'}, None)])
def test_threads_follow_the_quota_of_a_container(tmp_path, limits, threads):
    """As on Binder, or by Docker's --cpus, where a container sees all cores and may use some."""
    (tmp_path / 'cpu').mkdir()
    for name, limit in limits.items():
        (tmp_path / name).write_text(limit)
    words, _ = python('import builtins, os\n'
                      'exists, open_ = os.path.exists, open\n'
                      'def faked(name):\n'
                      f'    folder = {str(tmp_path)!r}\n'
                      '    is_text = isinstance(name, str)\n'
                      '    return name.replace("/sys/fs/cgroup", folder) if is_text else name\n'
                      'os.path.exists = lambda name: exists(faked(name))\n'
                      'builtins.open = lambda name, *rest, **more: '
                      'open_(faked(name), *rest, **more)\n'
                      'import utils\n'
                      'print(os.environ["OMP_NUM_THREADS"])')
    assert words == [str(threads or cpu_count(only_physical_cores=True))]


@pytest.fixture(scope='module')
def late_import():
    """The top-level modules that utils adds to MXNet, and stderr."""
    words, err = python('import mxnet, os, sys\n'
                        'before = set(sys.modules)\n'
                        'import utils\n'
                        'assert "OMP_NUM_THREADS" not in os.environ\n'
                        'print(*{name.split(".")[0] for name in set(sys.modules) - before})')
    return set(words), err


def test_late_import_warns_and_sets_no_threads(late_import):
    _, err = late_import
    assert 'UserWarning: mxnet was imported before utils' in err
    assert 'Restart the kernel and import utils first' in err


def test_import_loads_nothing_heavy_beside_mxnet(late_import):
    modules, _ = late_import
    assert 'utils' in modules
    heavy = {'d2l', 'pandas', 'scipy', 'matplotlib', 'ipywidgets', 'IPython', 'tqdm', 'resnet'}
    assert not modules & heavy


# ---------------------------------------------------------------------------------------------
# Seeds


def test_one_seed_sets_all_generators():
    def draws(seed):
        utils.seed_everything(seed)
        return (utils.random.random(), np.random.rand(), nd.random.uniform().asscalar(),
                nd.random.uniform(ctx=mx.cpu(1)).asscalar())

    assert draws(1) == draws(1)
    assert all(a != b for a, b in zip(draws(1), draws(2), strict=True))


# ---------------------------------------------------------------------------------------------
# Memory


def test_free_memory_frees_a_net_that_refers_to_itself():
    gc.collect()
    gc.disable()  # so that only free_memory can collect it
    try:
        net = cifar_net(8, PlainBlock)
        net.initialize()
        net(nd.zeros((1, 1, 8, 8)))
        weight = weakref.ref(net[0].weight)
        del net
        assert weight() is not None
        utils.free_memory()
        assert weight() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------------------------------------
# Data


def load(batch_size=10, resize=None, train_size=10, test_size=10, **kwargs):
    return utils.load_data_fashion_mnist(batch_size, resize, train_size, test_size, **kwargs)


def everything(loader):
    """All images and labels of one pass, in its order."""
    images, labels = zip(*loader, strict=True)
    return nd.concat(*images, dim=0).asnumpy(), nd.concat(*labels, dim=0).asnumpy()


def raw(name, header):
    return np.frombuffer(gzip.decompress((DATA / name).read_bytes()), np.uint8, offset=header)


@pytest.fixture(scope='module')
def pixels():
    """The first test images as published, bytes as floats in [0, 1]."""
    images = raw('t10k-images-idx3-ubyte.gz', 16).reshape(-1, 28, 28)
    return images[:20] / np.float32(255)


@pytest.mark.parametrize(('resize', 'side'), [(None, 28), (14, 14), (28, 28), (96, 96)])
def test_batches_have_the_documented_form(resize, side):
    train_data, test_data = load(32, resize, train_size=100, test_size=50)
    for data, sizes in ((train_data, [32, 32, 32, 4]), (test_data, [32, 18])):
        assert len(data) == len(sizes)
        batches = list(data)
        assert [x.shape for x, _ in batches] == [(size, 1, side, side) for size in sizes]
        assert [y.shape for _, y in batches] == [(size,) for size in sizes]
        assert {(x.dtype, y.dtype) for x, y in batches} == {(np.float32, np.int32)}
        images, labels = everything(batches)
        assert images.min() == 0 and 0.9 < images.max() <= 1
        assert set(labels) == set(range(10))


def test_all_images_are_there_by_default():
    train_data, test_data = utils.load_data_fashion_mnist(batch_size=1)
    assert (len(train_data), len(test_data)) == (60_000, 10_000)


def test_test_data_are_the_published_file_in_its_order(pixels):
    images, labels = next(iter(load(20, test_size=None)[1]))
    assert np.array_equal(images.asnumpy()[:, 0], pixels)
    assert np.array_equal(labels.asnumpy(), raw('t10k-labels-idx1-ubyte.gz', 8)[:20])


def test_14_pixels_are_the_means_of_2_by_2_squares(pixels):
    images, _ = next(iter(load(20, resize=14, test_size=None)[1]))
    means = pixels.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    assert np.allclose(images.asnumpy()[:, 0], means, rtol=0, atol=1e-6)


@pytest.mark.parametrize('side', [14, 20, 96])
def test_resizing_is_bilinear_between_pixel_centres(pixels, side):
    centres = np.clip((np.arange(side) + 0.5) * 28 / side - 0.5, 0, 27)
    weights = np.maximum(0, 1 - abs(centres[:, None] - np.arange(28)))
    images, _ = next(iter(load(20, resize=side, test_size=None)[1]))
    assert np.allclose(images.asnumpy()[:, 0], weights @ pixels @ weights.T, rtol=0, atol=1e-5)


@pytest.mark.parametrize('size', [9, 37, 100])
def test_subsets_are_balanced(size):
    for data in load(50, train_size=size, test_size=size):
        images, labels = everything(data)
        counts = np.bincount(labels, minlength=10)
        assert counts.sum() == size and counts.max() - counts.min() <= 1
        assert len({image.tobytes() for image in images}) == size


def test_subset_is_the_same_whatever_the_seeds():
    def subsets(seed):
        utils.seed_everything(seed)
        return [sorted((image.tobytes(), label) for image, label
                       in zip(*everything(data), strict=True))
                for data in load(train_size=37, test_size=37)]

    assert subsets(0) == subsets(1)


def test_training_order_changes_each_epoch_and_repeats_under_a_seed():
    train_data, _ = load(train_size=60)

    def epochs(seed):
        utils.seed_everything(seed)
        return [everything(train_data)[0] for _ in range(2)]

    first, again = epochs(0), epochs(0)
    assert_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], epochs(1)[0])


def test_test_order_is_fixed():
    passes = []
    for seed in (0, 1):
        utils.seed_everything(seed)
        _, test_data = load(test_size=37)
        passes += [everything(test_data), everything(test_data)]
    for other in passes[1:]:
        assert_equal(other, passes[0])


@pytest.mark.parametrize(('argument', 'value', 'message'), [
    ('train_size', 0, '1 to 60,000 images, not 0'),
    ('train_size', -1, '1 to 60,000 images, not -1'),
    ('train_size', 60_001, '1 to 60,000 images, not 60001'),
    ('test_size', 0, '1 to 10,000 images, not 0'),
    ('test_size', -1, '1 to 10,000 images, not -1'),
    ('test_size', 10_001, '1 to 10,000 images, not 10001'),
    ('resize', 0, 'resize is a side in pixels, at least 1, not 0'),
    ('resize', -1, 'resize is a side in pixels, at least 1, not -1'),
])
def test_impossible_sizes_are_refused(argument, value, message):
    with pytest.raises(ValueError, match=message):
        load(**{argument: value})


@pytest.fixture
def folder(tmp_path):
    """Links to the four files, each of which a test may replace."""
    for path in DATA.glob('*.gz'):
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_data_are_read_from_another_folder(folder):
    here, there = load(test_size=37), load(test_size=37, root=str(folder))
    assert_equal(everything(here[1]), everything(there[1]))
    assert len(there[0]) == 1


def missing(packed):
    return None


def truncated(packed):
    return packed[:-1]


def altered(packed):
    """The last byte of gzip's checksum is another, which gzip alone would notice late."""
    return packed[:-1] + bytes([packed[-1] ^ 1])


def other_contents(packed):
    """A sound gzip file of the right length unpacked, with one number changed."""
    numbers = bytearray(gzip.decompress(packed))
    numbers[-1] ^= 1
    return gzip.compress(numbers, compresslevel=1)


@pytest.mark.parametrize('damage', [missing, truncated, altered, other_contents])
@pytest.mark.parametrize('part', utils.FASHION_MNIST_FILES)
def test_bad_file_is_refused_with_its_checksum_and_the_remedy(folder, part, damage):
    name, _, md5 = utils.FASHION_MNIST_FILES[part]
    path = folder / name
    contents = damage(path.read_bytes())
    path.unlink()
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(FileNotFoundError if contents is None else ValueError) as refusal:
        load(root=folder)
    state = 'missing' if contents is None else f'damaged: {len(contents):,} bytes'
    for words in (f'{path} is {state}', f'MD5 should be {md5}',
                  '`git checkout -- data/fashion-mnist`',
                  'https://github.com/zalandoresearch/fashion-mnist'):
        assert words in str(refusal.value)


def test_missing_folder_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere.*-ubyte\.gz is missing.*MD5.*git check'):
        load(root=tmp_path / 'nowhere')


# ---------------------------------------------------------------------------------------------
# Training

CROSS_ENTROPY = gluon.loss.SoftmaxCrossEntropyLoss()


def toy_data(count, batch_size=4):
    """Noisy images of 6 × 6 pixels in three classes; class i is bright in row i."""
    rng = np.random.RandomState(0)
    labels = rng.randint(3, size=count)
    images = rng.rand(count, 1, 6, 6).astype('float32')
    images[range(count), 0, labels] += 1
    return [(nd.array(images[i:i + batch_size]), nd.array(labels[i:i + batch_size], dtype='int32'))
            for i in range(0, count, batch_size)]


def toy_net(ctx=CPU, with_bn=False):
    """A small net for toy_data, with the same parameters at every call."""
    utils.seed_everything(0)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, kernel_size=3))
    if with_bn:
        net.add(nn.BatchNorm())
    net.add(nn.Activation('relu'), nn.Dense(3))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net(nd.zeros((1, 1, 6, 6)))  # draws the parameters of all devices
    return net


def fit(net, data, ctx=CPU, num_epochs=1, loss=CROSS_ENTROPY, test_data=None, live=False,
        **optimizer):
    """Trains by SGD, tests on the training data if there are no others; returns the history."""
    options = {'learning_rate': 0.1, 'momentum': 0.9} | optimizer
    trainer = gluon.Trainer(net.collect_params(), 'sgd', options)
    return utils.train(data, data if test_data is None else test_data, net, loss, trainer, ctx,
                       num_epochs, live)


def without_time(history):
    return [{key: value for key, value in row.items() if key != 'time'} for row in history]


def test_training_lowers_the_loss():
    history = fit(toy_net(), toy_data(30), num_epochs=8)
    assert history[-1]['loss'] < history[0]['loss'] / 2
    assert history[-1]['train_acc'] > 0.9 and history[-1]['test_acc'] > 0.9


def test_history_is_what_a_loop_by_hand_gives():
    train_data, test_data, net = toy_data(10), toy_data(7), toy_net(with_bn=True)
    history = fit(net, train_data, num_epochs=2, test_data=test_data, momentum=0.)
    assert list(history[0]) == ['epoch', 'step', 'loss', 'train_acc', 'test_acc',
                                'learning_rate', 'time']
    twin = toy_net(with_bn=True)
    trainer = gluon.Trainer(twin.collect_params(), 'sgd', {'learning_rate': 0.1})
    for row in history:
        losses, hits = [], []
        for x, y in train_data:
            with autograd.record():
                out = twin(x)
                loss = CROSS_ENTROPY(out, y)
            loss.backward()
            trainer.step(len(x))
            losses.extend(loss.asnumpy())
            hits.extend(out.asnumpy().argmax(axis=1) == y.asnumpy())
        tested = [twin(x).asnumpy().argmax(axis=1) == y.asnumpy() for x, y in test_data]
        assert row['loss'] == pytest.approx(np.mean(losses), rel=1e-5)
        assert row['train_acc'] == np.mean(hits)
        assert row['test_acc'] == np.mean(np.concatenate(tested))
        assert row['learning_rate'] == 0.1 and 0 < row['time'] < 60
    assert [(row['epoch'], row['step']) for row in history] == [(0, 3), (1, 6)]
    assert_close(values(net), values(twin))


@pytest.mark.parametrize('with_bn', [False, True], ids=['without BN', 'with BN'])
def test_nan_that_the_loss_does_not_show_is_seen_in_the_gradient_before_the_step(with_bn):
    # Their nn.Activation('relu') turns NaN into 0 on a CPU.
    good, net = toy_net(with_bn=with_bn), toy_net(with_bn=with_bn)
    data = toy_data(8)
    fit(good, data[:1])
    data[1][0][0] = np.nan
    with pytest.raises(FloatingPointError,
                       match='the gradient is nan at epoch 0, step 1, with learning rate 0.1'):
        fit(net, data)
    for mine, theirs in zip(net.collect_params().values(), good.collect_params().values(),
                            strict=True):
        if mine.grad_req != 'null':  # BN's statistics have moved in the backward pass
            assert np.array_equal(mine.data().asnumpy(), theirs.data().asnumpy())


def test_nan_that_neither_loss_nor_gradient_shows_stops_the_training_after_the_epoch():
    net = toy_net()
    net[0].bias.set_data(nd.full(4, np.nan))  # hidden by the ReLU, which sends back no gradient
    with pytest.raises(FloatingPointError, match='bias is NaN or infinite after epoch 0.*rate 0.1'):
        fit(net, toy_data(8))


def test_training_prints_the_lines_of_the_original_lesson(capsys):
    history = fit(toy_net(), toy_data(10), num_epochs=2)
    printed = capsys.readouterr()
    start, *epochs = printed.out.splitlines()
    assert start == 'Start training on  cpu(0)'
    form = (r'Epoch {epoch}\. Loss: {loss:.3f}, Train acc {train_acc:.2f}, '
            r'Test acc {test_acc:.2f}, Time \d+\.\d sec')
    for line, row in zip(epochs, history, strict=True):
        assert re.fullmatch(form.format(**row), line)
    assert printed.err == ''


@functools.cache
def trained_on_images(seed):
    """The history and the parameters of a hybridized residual net."""
    utils.seed_everything(seed)
    data = load(32, resize=14, train_size=80, test_size=20)
    net = cifar_net(8, ShortcutBlock)
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    history = fit(net, data[0], num_epochs=2, test_data=data[1])
    return without_time(history), values(net)


def small_net(seed=0):
    return utils.init_net(cifar_net(8, PlainBlock), seed)


def test_a_seed_decides_all_weights_and_the_net_is_compiled():
    x = nd.random.uniform(shape=(2, 1, 14, 14))
    same, again, other = (small_net(seed)(x).asnumpy() for seed in (0, 0, 1))
    assert np.array_equal(same, again) and not np.array_equal(same, other)
    net = small_net()
    net(x)
    assert net._active and all(dict(net._flags)[name] for name in ('static_alloc', 'static_shape'))
    weight = net[3].body[0].weight.data().asnumpy()
    assert weight.std() == pytest.approx((2 / (16 * 9)) ** 0.5, rel=0.05)  # He's


def test_fit_is_the_recipe_written_out(capsys):
    data = utils.load_data_fashion_mnist(32, resize=14, train_size=96, test_size=32)
    history = utils.fit(small_net(), *data, epochs=2, learning_rate=0.05)
    assert capsys.readouterr().out == ''
    net = small_net()
    # Three steps of warm-up to 0.05, then half a cosine down to 0.
    rates = [0.05 / 3, 0.1 / 3, 0.05, 0.0375, 0.0125, 0]
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'momentum': 0.9, 'learning_rate': 0.})
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(2):
        losses = []
        for x, y in data[0]:
            with autograd.record():
                value = loss(net(x), y)
            value.backward()
            trainer.set_learning_rate(rates.pop(0))
            trainer.step(len(x))
            losses += value.asnumpy().tolist()
        assert history[epoch]['loss'] == pytest.approx(np.mean(losses), rel=1e-4)
    assert not rates and len(history) == 2


def test_training_repeats_bit_for_bit_under_one_seed():
    history, parameters = trained_on_images(0)
    again, same_parameters = trained_on_images.__wrapped__(0)
    assert history == again
    assert_equal(parameters, same_parameters)


def test_training_goes_on_with_a_history():
    seen = []

    def epochs(count, net, trainer, history=()):
        return utils.train(*data, net, loss, trainer, mx.cpu(), count, history=history,
                           after_epoch=lambda history: seen.append(len(history)))

    data, loss = load(10, train_size=20, test_size=20), gluon.loss.SoftmaxCrossEntropyLoss()
    utils.seed_everything(0)
    net = nn.Dense(10)
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), 'sgd')
    first = epochs(1, net, trainer)
    both = epochs(3, net, trainer, history=first)
    assert len(first) == 1 and both[0] is first[0]
    assert [(row['epoch'], row['step']) for row in both] == [(0, 2), (1, 4), (2, 6)]
    assert seen == [1, 2, 3]


def test_outputs_that_are_no_numbers_are_wrong():
    data = [(nd.array([[float('nan'), 1], [1, 0]]), nd.array([0, 0], dtype='int32'))]
    assert utils.evaluate_accuracy(data, lambda x: x, mx.cpu()) == 0.5


def test_training_differs_under_another_seed():
    assert trained_on_images(0)[0] != trained_on_images(1)[0]


def spoiled(value, at):
    """Cross-entropy, but times `value` in one call, counted from 0."""
    calls = itertools.count()

    def loss(out, y):
        good = CROSS_ENTROPY(out, y)
        return good * value if next(calls) == at else good
    return loss


@pytest.mark.parametrize(('value', 'word'), [(np.nan, 'nan'), (np.inf, 'inf'), (-np.inf, '-inf')])
def test_bad_loss_stops_training_and_names_step_and_learning_rate(value, word):
    with pytest.raises(FloatingPointError) as stop:
        fit(toy_net(), toy_data(10), num_epochs=3, learning_rate=0.0125, loss=spoiled(value, at=4))
    assert f'the loss is {word} at epoch 1, step 4, with learning rate 0.0125' in str(stop.value)


def test_diverging_training_is_stopped():
    with pytest.raises(FloatingPointError, match=r'epoch 0, step \d, with learning rate 1e\+30'):
        fit(toy_net(), toy_data(30), learning_rate=1e30)


@pytest.mark.parametrize('call', [2, 3])
def test_bad_loss_on_any_device_stops_training(call):
    with pytest.raises(FloatingPointError, match='epoch 0, step 1'):
        fit(toy_net(CPUS), toy_data(12), CPUS, loss=spoiled(np.nan, at=call))


@pytest.mark.parametrize('with_bn', [False, True], ids=['without BN', 'with BN'])
def test_bad_step_changes_no_parameter(with_bn):
    data, good, stopped = toy_data(12), toy_net(with_bn=with_bn), toy_net(with_bn=with_bn)
    fit(good, data[:2])
    with pytest.raises(FloatingPointError, match='step 2'):
        fit(stopped, data, loss=spoiled(np.nan, at=2))
    assert_equal(values(stopped), values(good))


@pytest.mark.parametrize('label', [3, -1])
@pytest.mark.parametrize('step', [0, 2])
def test_labels_without_an_output_are_refused_before_they_teach(label, step):
    data = toy_data(12)
    taught, refused = toy_net(with_bn=True), toy_net(with_bn=True)
    if step:
        fit(taught, data[:step])
    data[step][1][3] = label
    with pytest.raises(ValueError, match=f'3 outputs, so labels are .* 0 to 2, but .* {label}$'):
        fit(refused, data)
    assert_equal(values(refused), values(taught))


@pytest.mark.parametrize('labels', [nd.zeros((4, 1)), nd.one_hot(nd.zeros(4), 3), nd.zeros(3),
                                    nd.zeros((1, 4)), np.zeros(5), [0, 0, 0], ['a'] * 4,
                                    [None] * 4, [0, 1, 2j, 1]])
def test_labels_of_another_shape_or_kind_are_refused(labels):
    (images, _), = toy_data(4)
    message = (r'need labels of shape \(4,\), the number of the class of each, not .* of shape '
               + re.escape(str(np.shape(labels))))
    with pytest.raises(ValueError, match=message):
        fit(toy_net(), [(images, labels)])
    with pytest.raises(ValueError, match=message):
        utils.evaluate_accuracy([(images, labels)], toy_net(), CPU)


@pytest.mark.parametrize('label', [0.5, np.nan, np.inf])
def test_labels_that_are_no_whole_numbers_are_refused(label):
    data = [(x, y.astype('float32')) for x, y in toy_data(4)]
    data[0][1][2] = label
    with pytest.raises(ValueError, match=f'this batch has the label {label}'):
        fit(toy_net(), data)
    with pytest.raises(ValueError, match=f'this batch has the label {label}'):
        utils.evaluate_accuracy(data, toy_net(), CPU)


@pytest.mark.parametrize('kind', ['bool', 'uint8', 'int64', 'float16', 'float64'])
def test_labels_of_any_type_teach_the_same(kind):
    data = [(x, (y < 1).astype('int32')) for x, y in toy_data(8)]
    expected, taught = toy_net(), toy_net()
    history = fit(expected, data, num_epochs=2)
    again = fit(taught, [(x, y.astype(kind)) for x, y in data], num_epochs=2)
    assert without_time(again) == without_time(history)
    assert_equal(values(taught), values(expected))


@pytest.mark.parametrize('loss', [lambda out, y: CROSS_ENTROPY(out, y).mean(),
                                  lambda out, y: CROSS_ENTROPY(out, y).sum(),
                                  lambda out, y: CROSS_ENTROPY(out, y).expand_dims(1),
                                  lambda out, y: out], ids=['mean', 'sum', 'column', 'matrix'])
@pytest.mark.parametrize('ctx', [CPU, CPUS], ids=str)
def test_a_loss_that_is_not_one_value_an_image_is_refused(loss, ctx):
    net = toy_net(ctx, with_bn=True)
    before = values(net)
    with pytest.raises(ValueError, match=r'should be one value for each, of shape \(\d,\), not'):
        fit(net, toy_data(4), ctx, loss=loss)
    assert_equal(values(net), before)


def test_outputs_that_are_no_row_an_image_are_refused():
    net = nn.Conv2D(3, kernel_size=3)
    net.initialize()
    with pytest.raises(ValueError, match=r'should have the shape \(images, classes\), not \(4, 3'):
        fit(net, toy_data(4))


def test_a_net_with_nothing_to_train_is_refused():
    net = toy_net()
    net.collect_params().setattr('grad_req', 'null')
    with pytest.raises(ValueError, match='nothing to train: every parameter of the net is frozen'):
        fit(net, toy_data(4))
    assert 0 <= utils.evaluate_accuracy(toy_data(4), net, CPU) <= 1


def test_training_data_without_batches_are_refused():
    with pytest.raises(ValueError, match='train_data has no batches'):
        fit(toy_net(), [], test_data=toy_data(4))


# Batches of 4: even, a last batch of 3, and one that is smaller than the list of devices.
@pytest.mark.parametrize('devices', [CPUS, [*CPUS, mx.cpu(2)]], ids=['2 devices', '3 devices'])
@pytest.mark.parametrize('count', [8, 11, 9])
@pytest.mark.parametrize('hybrid', [False, True], ids=['eager', 'hybrid'])
def test_devices_share_the_training_of_one(devices, count, hybrid):
    one, several = toy_net(CPU), toy_net(devices)
    if hybrid:
        several.hybridize(static_alloc=True, static_shape=True)
    data = toy_data(count)
    expected, history = fit(one, data, num_epochs=3), fit(several, data, devices, num_epochs=3)
    for ctx in devices:
        assert_close(values(several, ctx), values(one))
    for row, expected_row in zip(without_time(history), without_time(expected), strict=True):
        assert row == pytest.approx(expected_row, rel=1e-5)


@pytest.mark.parametrize('devices', [CPUS, [*CPUS, mx.cpu(2)]], ids=['2 devices', '3 devices'])
def test_devices_end_an_epoch_with_one_net_which_is_what_was_evaluated(devices):
    net, data, tests = toy_net(devices, with_bn=True), toy_data(30, 5), toy_data(29)

    def compare(history):
        for ctx in devices:
            assert_equal(values(net, ctx), values(net))
            assert utils.evaluate_accuracy(tests, net, ctx) == history[-1]['test_acc']

    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1, 'momentum': 0.9})
    history = utils.train(data, tests, net, CROSS_ENTROPY, trainer, devices, 3,
                          after_epoch=compare)
    assert len(history) == 3
    assert trainer._updaters[0].states or trainer._kv_initialized  # its momentum is still there


def test_training_names_all_devices(capsys):
    fit(toy_net(CPUS), toy_data(4), CPUS)
    assert capsys.readouterr().out.startswith('Start training on  [cpu(0), cpu(1)]\n')


class PlainGluonBlock(nn.Block):
    """As the original lesson writes its nets."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(3)

    def forward(self, x):
        return self.dense(nd.relu(x))


def test_a_block_that_cannot_be_hybridized_is_trained():
    net = PlainGluonBlock()
    net.initialize()
    history = fit(net, toy_data(30), num_epochs=4)
    assert history[-1]['loss'] < history[0]['loss']


@pytest.mark.parametrize('ctx', [CPU, CPUS], ids=str)
def test_history_follows_the_learning_rate_schedule(ctx):
    scheduler = FactorScheduler(step=2, factor=0.5, base_lr=0.1)
    history = fit(toy_net(ctx), toy_data(8), ctx, num_epochs=3, lr_scheduler=scheduler)
    assert [row['learning_rate'] for row in history] == [0.1, 0.05, 0.025]


@pytest.mark.parametrize(('kernel', 'terminal', 'variable', 'shown'), [
    (False, True, None, True),
    (True, False, None, True),
    (False, False, None, False),
    (False, True, '1', False),
    (True, True, '1', False),
])
def test_progress_is_shown_to_people_only(monkeypatch, kernel, terminal, variable, shown):
    monkeypatch.delenv('TQDM_DISABLE')
    monkeypatch.delitem(sys.modules, 'ipykernel', raising=False)
    if variable:
        monkeypatch.setenv('TQDM_DISABLE', variable)
    if kernel:
        monkeypatch.setitem(sys.modules, 'ipykernel', None)
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: terminal)
    bar = utils.progress([1, 2], 'Epoch 0', 'batch')
    assert bar.disable != shown
    assert list(bar) == [1, 2]


def test_progress_is_silent_where_output_is_silenced(monkeypatch):
    # As the notebooks do around utils.train; ipykernel cannot show a bar without a stdout.
    monkeypatch.delenv('TQDM_DISABLE')
    monkeypatch.setitem(sys.modules, 'ipykernel', None)
    with contextlib.redirect_stdout(None):
        bar = utils.progress([1, 2], 'Epoch 0', 'batch')
    assert bar.disable


# ---------------------------------------------------------------------------------------------
# Live curves


def test_live_curves_outside_a_notebook_do_no_harm(monkeypatch):
    monkeypatch.setattr(InteractiveShell, 'initialized', lambda: False)
    assert len(fit(toy_net(), toy_data(8), num_epochs=2, live=True)) == 2


def test_live_curves_show_the_history(monkeypatch):
    class Handle:
        updates = []

        def update(self, fig):
            self.fig = fig
            self.updates.append(len(fig.axes[0].lines[0].get_xdata()))

    handle = Handle()
    monkeypatch.setattr('IPython.display.display', lambda fig, display_id: handle)
    history = fit(toy_net(), toy_data(120), num_epochs=2,
                  live={'rival': 0.25, 'guessing': (None, 1.5)})

    loss, accuracy = handle.fig.axes
    assert (loss.get_xlabel(), loss.get_ylabel()) == ('epochs', 'training loss')
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ('epochs', 'accuracy')
    batches, tests, rival = accuracy.lines
    for line, key in ((loss.lines[0], 'loss'), (batches, 'train_acc')):
        assert list(line.get_xdata()) == pytest.approx([0.1 * (i + 1) for i in range(20)])
        for row, points in zip(history, np.split(line.get_ydata(), 2), strict=True):
            assert points.mean() == pytest.approx(row[key])
    assert list(tests.get_xdata()) == [1, 2]
    assert list(tests.get_ydata()) == [row['test_acc'] for row in history]
    assert rival.get_label() == 'rival' and set(rival.get_ydata()) == {0.25}
    assert set(loss.lines[1].get_ydata()) == {1.5} and loss.texts[0].get_text() == 'guessing'
    assert set(range(1, 21)) <= set(handle.updates)
    assert plt.get_fignums() == []


# ---------------------------------------------------------------------------------------------
# Evaluating


@pytest.mark.parametrize('ctx', [CPU, CPUS, [*CPUS, mx.cpu(2)]], ids=str)
@pytest.mark.parametrize('count', [12, 11, 9])
def test_accuracy_is_the_share_that_numpy_counts(ctx, count):
    data, net = toy_data(count), toy_net(ctx)
    hits = np.concatenate([net(x).asnumpy().argmax(axis=1) == y.asnumpy() for x, y in data])
    assert 0 < hits.mean() < 1
    assert utils.evaluate_accuracy(data, net, ctx) == hits.mean()


def test_evaluating_uses_running_statistics_and_leaves_them_alone():
    data, net = toy_data(10), toy_net(with_bn=True)
    net[1].running_mean.set_data(nd.full(4, 1000))  # all is negative now, and 0 after the ReLU
    before = values(net)
    share_of_first_class = np.mean(np.concatenate([y.asnumpy() for _, y in data]) == 0)
    assert utils.evaluate_accuracy(data, net, CPU) == share_of_first_class
    assert_equal(values(net), before)


def test_evaluating_on_no_batches_is_refused():
    with pytest.raises(ValueError, match='no batches'):
        utils.evaluate_accuracy([], toy_net(), CPU)


# ---------------------------------------------------------------------------------------------
# Counting and measuring


def run_once(net, shape):
    net.initialize()
    net(nd.zeros(shape))
    return net


@pytest.mark.parametrize(('channels', 'count'), [(1, 11_178_250), (3, 11_184_522)])
def test_parameters_of_the_lessons_net(channels, count):
    assert utils.count_parameters(run_once(ResNet(10), (1, channels, 11, 11))) == count


@pytest.mark.parametrize(('block', 'count'), [
    (Residual(3), 180),
    (Residual(8, same_shape=False), 872),
])
def test_parameters_of_the_lessons_block(block, count):
    assert utils.count_parameters(run_once(block, (1, 3, 6, 6))) == count


@pytest.mark.parametrize('block', [PlainBlock, ShortcutBlock])
@pytest.mark.parametrize(('depth', 'count'), [
    (20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962),
])
def test_parameters_of_the_cifar_nets(depth, count, block):
    assert utils.count_parameters(run_once(cifar_net(depth, block), (1, 3, 4, 4))) == count


@pytest.mark.parametrize(('name', 'count'), [
    ('resnet18_v1', 11_689_512), ('resnet34_v1', 21_797_672), ('resnet18_v2', 11_687_848),
])
def test_parameters_of_the_zoos_nets(name, count):
    assert utils.count_parameters(run_once(vision.get_model(name), (1, 3, 32, 32))) == count


def test_parameters_of_unknown_shape_are_not_counted_as_none():
    net = cifar_net(8, PlainBlock)
    net.initialize()
    with pytest.raises(ValueError, match='pass one batch'):
        utils.count_parameters(net)


@pytest.mark.parametrize(('name', 'count'), [
    ('resnet18_v1', 1_814_073_344), ('resnet34_v1', 3_663_761_408), ('resnet50_v1', 3_857_973_248),
])
def test_multiply_adds_of_the_zoos_nets(name, count):
    assert utils.count_multiply_adds(vision.get_model(name), (1, 3, 224, 224)) == count


def test_multiply_adds_count_each_layer_and_image():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, kernel_size=3, strides=2, padding=1),
            nn.BatchNorm(),
            nn.Conv2D(8, kernel_size=3, groups=4),
            nn.Dense(5))
    an_image = 8 * 4 * 4 * (3 * 9) + 8 * 2 * 2 * (2 * 9) + 5 * (8 * 2 * 2)
    assert utils.count_multiply_adds(net, (1, 3, 8, 8)) == an_image
    assert utils.count_multiply_adds(net, (6, 3, 8, 8)) == 6 * an_image


def test_counts_are_the_same_before_and_after_hybridizing():
    net, shape = cifar_net(8, ShortcutBlock), (1, 1, 14, 14)
    multiply_adds = utils.count_multiply_adds(net, shape)
    run_once(net, shape)
    parameters = utils.count_parameters(net)
    net.hybridize(static_alloc=True, static_shape=True)
    out = net(nd.ones(shape)).asnumpy()
    assert utils.count_multiply_adds(net, shape) == multiply_adds > 0
    assert utils.count_parameters(net) == parameters > 0
    assert np.array_equal(net(nd.ones(shape)).asnumpy(), out)


@pytest.mark.parametrize('hybrid', [False, True], ids=['eager', 'hybrid'])
def test_gradient_norms_are_those_computed_by_hand(hybrid):
    net = nn.HybridSequential()
    net.add(nn.Conv2D(1, kernel_size=1, use_bias=False), nn.Conv2D(1, kernel_size=1))
    net.initialize()
    x, y = nd.array(np.arange(18).reshape(2, 1, 3, 3)), nd.array([1, 3])
    net(x)
    first, second = 2., -5.
    for layer, weight in zip(net, (first, second), strict=True):
        layer.weight.set_data(nd.full((1, 1, 1, 1), weight))
    if hybrid:
        net.hybridize()

    # The loss of an image is y Σ (first · second · x).
    norms = utils.gradient_norms(net, lambda out, y: y * out.sum(axis=(1, 2, 3)), x, y)

    mean_sum = (1 * sum(range(9)) + 3 * sum(range(9, 18))) / 2
    assert norms == pytest.approx([abs(second) * mean_sum, abs(first) * mean_sum])
    assert [layer.weight.data().asscalar() for layer in net] == [first, second]


@pytest.mark.parametrize('block', [PlainBlock, ShortcutBlock])
def test_each_convolution_has_a_gradient_norm(block):
    net = run_once(cifar_net(14, block), (1, 1, 6, 6))
    (x, y), = toy_data(4)
    norms = utils.gradient_norms(net, CROSS_ENTROPY, x, y)
    assert len(norms) == 13 and all(norm > 0 for norm in norms)


# ---------------------------------------------------------------------------------------------
# Plots


@pytest.fixture
def shown(monkeypatch):
    """The figures that `plt.show` was called for."""
    figures = []
    monkeypatch.setattr(plt, 'show', lambda: figures.append(plt.gcf()))
    yield figures
    plt.close('all')


def history_of(train_errors, test_errors):
    return [{'step': 10 * (i + 1), 'train_acc': 1 - train / 100, 'test_acc': 1 - test / 100}
            for i, (train, test) in enumerate(zip(train_errors, test_errors, strict=True))]


def test_errors_are_drawn_as_mean_and_band(shown):
    plain = [history_of([40, 20], [50, 30]), history_of([60, 30], [70, 40])]
    residual = [history_of([10, 5], [20, 15])]
    utils.plot_errors({'plain': (utils.PLAIN, plain), 'residual': (utils.RESIDUAL, residual)}, 'T')
    ax, = shown[0].axes
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == \
        ('T', 'training steps', 'training error (%)')
    line, other_line = ax.lines
    assert (line.get_color(), line.get_linestyle()) == tuple(utils.PLAIN.values())
    assert (other_line.get_color(), other_line.get_linestyle()) == tuple(utils.RESIDUAL.values())
    assert list(line.get_xdata()) == list(other_line.get_xdata()) == [10, 20]
    assert list(line.get_ydata()) == pytest.approx([50, 25])
    assert list(other_line.get_ydata()) == pytest.approx([10, 5])
    band = ax.collections[0].get_paths()[0].vertices
    for step, bounds in ((10, (40, 60)), (20, (20, 30))):
        heights = band[band[:, 0] == step, 1]
        assert (heights.min(), heights.max()) == pytest.approx(bounds)
    names = {text.get_text(): (text.xy, text.xyann[1]) for text in ax.texts}
    assert names == {'residual': ((20, pytest.approx(5)), pytest.approx(5)),
                     'plain': ((20, pytest.approx(25)), pytest.approx(25))}


def test_names_of_lines_that_end_together_do_not_overlap(shown):
    level = [history_of([40, 20], [50, 30])]
    near = [history_of([40, 21], [50, 30])]
    utils.plot_errors({'a': (utils.PLAIN, level), 'b': (utils.PLAIN, near),
                       'c': (utils.PLAIN, level)}, 'T')
    heights = {text.get_text(): text.xyann[1] for text in shown[0].axes[0].texts}
    steps = np.diff([heights['a'], heights['c'], heights['b']])
    assert steps == pytest.approx([steps[0]] * 2) and steps[0] > 2
    assert np.mean(list(heights.values())) == pytest.approx(61 / 3)


def test_final_errors_are_those_of_the_last_epoch():
    history = history_of([60, 25], [70, 38])
    assert utils.final_errors(history) == 'training error 25 %, test error 38 %'
