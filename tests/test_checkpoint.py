"""scripts/checkpoint.py: what comes back, and what happens to damaged files and full disks."""
import utils  # isort: skip  before mxnet, for its threads

import errno
import io
import json
import os
import pickle
import resource
import zipfile

import mxnet as mx
import numpy as np
import pytest
from mxnet import gluon, init, nd
from mxnet.gluon import nn

import checkpoint
import nets
import training

ABOUT = {'depth': 18, 'classes': ['猫', 'a dog'], 'stride_on_first': False, 'size': 16,
         'grey': True, 'mean': [0.5], 'std': [0.2]}


def new_net(about=ABOUT, seed=0):
    utils.free_memory()
    utils.seed_everything(seed)
    net = nets.new_net(about)
    net.initialize(init.Xavier())
    net(nd.zeros((1, 1, 16, 16)))
    return net


def numbers(net):
    return [p.data().asnumpy() for p in net.collect_params().values()]


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp('saved') / 'best.ckpt'
    net = new_net()
    checkpoint.save(path, net, ABOUT)
    return path, net


def test_comes_back_as_it_was(saved):
    path, net = saved
    again, about = checkpoint.load(path, mx.cpu())
    assert about == {'format': 1, **ABOUT}
    for mine, theirs in zip(numbers(net), numbers(again), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert os.listdir(path.parent) == ['best.ckpt']  # nothing else is left behind


def test_a_bottleneck_with_its_stride_on_the_first_convolution(tmp_path):
    about = {**ABOUT, 'depth': 50, 'stride_on_first': True}
    net = new_net(about)
    checkpoint.save(tmp_path / 'a', net, about)
    again, _ = checkpoint.load(tmp_path / 'a', mx.cpu())
    x = nd.random.normal(shape=(2, 1, 33, 33))
    np.testing.assert_array_equal(net(x).asnumpy(), again(x).asnumpy())


def test_trainer_goes_on_where_it_was(tmp_path):
    def step(net, trainer):
        x, y = nd.random.normal(shape=(4, 1, 16, 16)), nd.array([0, 1, 0, 1])
        with mx.autograd.record():
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(x), y)
        loss.backward()
        trainer.step(4)

    net = new_net()
    trainer = training.new_trainer(net, 0.01, 3, 1)
    step(net, trainer)
    checkpoint.save(tmp_path / 'last.ckpt', net, ABOUT, trainer)
    mx.random.seed(1)
    step(net, trainer)

    for _ in range(100):  # Gluon numbers layers; now their numbers have other digits
        nn.Conv2D(1, 1), nn.BatchNorm()
    again, _ = checkpoint.load(tmp_path / 'last.ckpt', mx.cpu())
    other = training.new_trainer(again, 0.01, 3, 1)
    checkpoint.load_trainer(tmp_path / 'last.ckpt', other)
    mx.random.seed(1)
    step(again, other)
    for mine, theirs in zip(numbers(net), numbers(again), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize('share', [0., 0.001, 0.5, 0.999])
def test_cut_short(saved, tmp_path, share):
    whole = saved[0].read_bytes()
    path = tmp_path / 'cut.ckpt'
    path.write_bytes(whole[:int(share * len(whole))])
    with pytest.raises(ValueError, match=r'cut\.ckpt is not a whole checkpoint'):
        checkpoint.load(path, mx.cpu())


def test_one_bit_altered(saved, tmp_path):
    content = bytearray(saved[0].read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / 'altered.ckpt'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'the checksum of net\.params is wrong'):
        checkpoint.load(path, mx.cpu())


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no checkpoint .*none'):
        checkpoint.load(tmp_path / 'none', mx.cpu())


def archive(path, **members):
    with zipfile.ZipFile(path, 'w') as file:
        for name, content in members.items():
            file.writestr(name.replace('_', '.'), content)
    return path


@pytest.mark.parametrize('members', [
    {'readme_txt': 'hello'}, {'about_json': '{"format": 1}'},
    {'about_json': 'no', 'net_params': ''},
    {'about_json': '{"format": 2}', 'net_params': ''},
    {'about_json': '[]', 'net_params': ''}, {'about_json': '[' * 100_000, 'net_params': ''},
    {'about_json': '{"format": NaN}', 'net_params': ''}, {'about_json': b'\xff', 'net_params': ''},
    {'about_json': json.dumps({'format': 1, **ABOUT})},
    {'about_json': json.dumps({'format': 1, **ABOUT, 'mean': [0.5, 0.5, 0.5]}), 'net_params': ''},
    {'about_json': json.dumps({'format': 1, **ABOUT, 'std': [0]}), 'net_params': ''},
    {'about_json': json.dumps({'format': 1, **ABOUT, 'classes': []}), 'net_params': ''},
    {'about_json': json.dumps({'format': 1, **ABOUT, 'history': [{}]}), 'net_params': ''},
])
def test_another_archive(tmp_path, members):
    with pytest.raises(ValueError, match='is a zip archive, but not a checkpoint of scripts/train'):
        checkpoint.load(archive(tmp_path / 'other.zip', **members), mx.cpu())


@pytest.mark.parametrize('kind', ['deflate', 'lzma', 'unknown', 'encrypted', 'huge', 'cut short'])
def test_archives_that_save_never_writes(saved, tmp_path, kind):
    path = tmp_path / 'odd.zip'
    method = {'deflate': zipfile.ZIP_DEFLATED, 'lzma': zipfile.ZIP_LZMA}.get(kind, 0)
    with zipfile.ZipFile(path, 'w', method) as file:
        file.writestr('about.json', json.dumps({'format': 1, **ABOUT}))
        file.writestr('net.params', b'')
    content = bytearray(path.read_bytes())
    entry = content.index(b'PK\1\2')  # of about.json in the directory
    if kind == 'unknown':
        content[entry + 10:entry + 12] = b'\x63\0'
    elif kind == 'encrypted':
        content[entry + 8] |= 1
        content[6] |= 1
    elif kind == 'huge':
        content[entry + 20:entry + 28] = b'\xf0\xff\xff\xff' * 2
    elif kind == 'cut short':
        content[entry + 20:entry + 28] = b'\x03\0\0\0' * 2
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'odd\.zip is not a whole checkpoint'):
        checkpoint.load(path, mx.cpu())


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='Windows has no named pipes')
def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(ValueError, match='not a whole checkpoint'):
        checkpoint.read(tmp_path / 'pipe')


@pytest.mark.parametrize(('name', 'other'), [('depth', 34), ('classes', ['a', 'b', 'c'])])
def test_parameters_of_another_net(saved, tmp_path, name, other):
    with zipfile.ZipFile(saved[0]) as file:
        about, params = json.loads(file.read('about.json')), file.read('net.params')
    path = archive(tmp_path / 'a', about_json=json.dumps({**about, name: other}), net_params=params)
    with pytest.raises(ValueError, match='its parameters are not those of a ResNet'):
        checkpoint.load(path, mx.cpu())


@pytest.mark.parametrize('content', [b'', b'not parameters'])
def test_parameters_that_are_none(saved, tmp_path, content):
    about = json.dumps({'format': 1, **ABOUT})
    path = archive(tmp_path / 'a', about_json=about, net_params=content)
    with pytest.raises(ValueError, match='its parameters are not those of a ResNet'):
        checkpoint.load(path, mx.cpu())


def test_full_disk_leaves_the_earlier_file(saved, tmp_path, monkeypatch):
    path = tmp_path / 'last.ckpt'
    path.write_bytes(saved[0].read_bytes())

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, 'write', full)
    with pytest.raises(OSError, match='No space left'):
        checkpoint.save(path, new_net(seed=1), ABOUT)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ['last.ckpt']
    assert path.read_bytes() == saved[0].read_bytes()


@pytest.mark.parametrize('missing', [1, 1000, 10_000])
def test_disk_that_fills_in_the_last_bytes(saved, tmp_path, missing):
    """By a limit to the size of files, at which MXNet loses up to 4 KB without a word."""
    path, net = tmp_path / 'last.ckpt', saved[1]
    nd.save(str(path), checkpoint.parameters(net))
    limit = path.stat().st_size - missing
    path.write_bytes(b'the last good one')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match='is the disk full'):
            checkpoint.save(path, net, ABOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == ['last.ckpt'] and path.read_bytes() == b'the last good one'


def test_damage_while_writing_is_noticed(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, 'testzip', lambda self: 'net.params')
    with pytest.raises(OSError, match=r'could not be written: net\.params is damaged'):
        checkpoint.save(tmp_path / 'last.ckpt', saved[1], ABOUT)
    assert os.listdir(tmp_path) == []


def test_of_several_devices_the_first_is_saved_to_the_bit(tmp_path):
    devices = [mx.cpu(0), mx.cpu(1), mx.cpu(2)]
    net = nn.HybridSequential()
    net.add(nn.Dense(50), nn.BatchNorm())
    net.initialize(init.Normal(1), ctx=devices)
    net(nd.zeros((1, 20)))
    for number, device in enumerate(devices):
        net[1].running_mean.data(device)[:] = number
    checkpoint.save(tmp_path / 'a', net, ABOUT)
    with zipfile.ZipFile(tmp_path / 'a') as file:
        arrays = checkpoint.read_arrays(file.read('net.params'))
    for array, p in zip(arrays.values(), net._collect_params_with_prefix().values(), strict=True):
        np.testing.assert_array_equal(array, p.data(devices[0]).asnumpy())


def test_full_disk_inside_mxnet(saved, tmp_path, monkeypatch):
    def full(*_):
        raise mx.MXNetError('Traceback (most recent call last):\nMXNetError: Check failed: fwrite')

    monkeypatch.setattr(nd, 'save', full)
    with pytest.raises(OSError, match=r'is the disk full\? \(MXNetError: Check failed: fwrite\)$'):
        checkpoint.save(tmp_path / 'last.ckpt', saved[1], ABOUT)
    assert os.listdir(tmp_path) == []


def test_reading_a_checkpoint_runs_no_pickle(saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / 'sprung'), 'w')

    path = tmp_path / 'trap.ckpt'
    path.write_bytes(saved[0].read_bytes())
    states = io.BytesIO()
    pickle.dump(Trap(), states)
    with zipfile.ZipFile(path, 'a') as file:
        file.writestr('trainer.states', states.getvalue())
    net, _ = checkpoint.load(path, mx.cpu())
    with pytest.raises(ValueError, match='not how far its training was'):
        checkpoint.load_trainer(path, training.new_trainer(net, 0.01, 3, 1))
    assert not (tmp_path / 'sprung').exists()
