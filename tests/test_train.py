"""scripts/train.py on small real pictures: learning, resuming, starting from a net, refusing."""
import utils  # isort: skip  before mxnet, for its threads

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from PIL import Image

import batches
import checkpoint
import files
import nets
import torch_files
import train
import training

SCRIPT = Path(train.__file__)
SMALL = ['--resize', '16', '--lr', '0.001', '--batch-size', '8', '--epochs', '2']


@pytest.fixture(scope='module')
def split(tmp_path_factory):
    """18 + 6 pictures: in the class 'stripes' every other row is dark, in 'plain dots' none."""
    folder = tmp_path_factory.mktemp('split data')
    random = np.random.RandomState(0)
    for part, count in (('train', 9), ('val', 3)):
        for name in ('plain dots', 'stripes'):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                image = random.randint(100, 256, (20, 24, 3)).astype(np.uint8)
                if name == 'stripes':
                    image[::2] //= 8
                Image.fromarray(image).save(folder / part / name / f'{number}.png')
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """A net of few numbers in the place of all ResNets, for what does not depend on the net."""
    def new_net(about):
        net = nn.HybridSequential()
        net.add(nn.Conv2D(4, kernel_size=3), nn.BatchNorm(), nn.GlobalAvgPool2D(),
                nn.Dense(len(about['classes'])))
        return net

    for module in (nets, checkpoint):
        monkeypatch.setattr(module, 'new_net', new_net)


@pytest.fixture
def copy(split, tmp_path):
    """The pictures once more, to be changed."""
    return Path(shutil.copytree(split, tmp_path / 'copy'))


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def run(*arguments):
    utils.free_memory()
    return train.main([str(argument) for argument in arguments])


def numbers(path):
    net, _ = checkpoint.load(path, mx.cpu())
    return [p.data().asnumpy() for p in net.collect_params().values()]


def assert_same(mine, theirs):
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope='module')
def whole(split, tmp_path_factory):
    """A run of three epochs that nothing interrupted, with all augmentations."""
    folder = tmp_path_factory.mktemp('whole')
    options = [split, *SMALL[:-1], 3, '--augment', 'crop', 'flip', 'light', '--seed', 5]
    assert run(*options, '--out', folder / 'run', '--history', folder / 'a.csv') == 0
    return folder, options


def test_a_run_leaves_two_checkpoints_and_a_history(whole):
    folder, _ = whole
    assert sorted(os.listdir(folder / 'run')) == ['best.ckpt', 'last.ckpt']
    about = checkpoint.read(folder / 'run' / 'last.ckpt')
    assert about['classes'] == ['plain dots', 'stripes']
    assert (about['size'], about['grey']) == (16, False)
    with open(folder / 'a.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['epoch'] for row in rows] == ['0', '1', '2']
    assert [row['step'] for row in rows] == ['3', '6', '9']
    assert [float(row['val_acc']) for row in rows] == [row['test_acc'] for row in about['history']]
    best = checkpoint.read(folder / 'run' / 'best.ckpt')['history']
    accuracies = [row['test_acc'] for row in about['history']]
    assert len(best) == 1 + accuracies.index(max(accuracies))  # the first of equals


def test_the_checkpoint_classifies_as_its_history_says(whole, split):
    net, about = checkpoint.load(whole[0] / 'run' / 'last.ckpt', mx.cpu())
    *sets, _ = batches.load_split(split, about['size'], about['grey'])
    _, val = batches.loaders(*sets, about, 8)
    assert utils.evaluate_accuracy(val, net, mx.cpu()) == about['history'][-1]['test_acc']


@pytest.mark.parametrize('epochs', [1, 2])
def test_resumed_to_the_bit(whole, tmp_path, monkeypatch, capsys, epochs):
    def interrupt(path, history):
        if len(history) == epochs:
            raise KeyboardInterrupt

    folder, options = whole
    options = [*options, '--out', tmp_path / 'run', '--history', tmp_path / 'a.csv']
    with monkeypatch.context() as patch:
        patch.setattr(training, 'write_history', interrupt)
        assert run(*options) == 130
    assert 'go on with --resume' in capsys.readouterr().err
    assert run(*options, '--resume') == 0
    assert_same(numbers(tmp_path / 'run' / 'last.ckpt'), numbers(folder / 'run' / 'last.ckpt'))
    assert_same(numbers(tmp_path / 'run' / 'best.ckpt'), numbers(folder / 'run' / 'best.ckpt'))
    with open(tmp_path / 'a.csv', newline='') as file:
        assert [row['step'] for row in csv.DictReader(file)] == ['3', '6', '9']


def test_ctrl_c_leaves_a_good_checkpoint(tmp_path):
    command = [sys.executable, SCRIPT, 'fashion-mnist', '--train-size', '200', '--epochs', '1000',
               '--out', tmp_path]
    # A shell that runs the tests in the background has told its children to ignore Ctrl-C.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        end = time.monotonic() + 60
        while not (tmp_path / 'last.ckpt').exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and 'Traceback' not in stderr
    _, about = checkpoint.load(tmp_path / 'last.ckpt', mx.cpu())
    assert about['history'] and sorted(os.listdir(tmp_path)) == ['best.ckpt', 'last.ckpt']


def test_full_disk(split, tmp_path, monkeypatch, capsys, tiny):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, 'replace', full)
    assert run(split, *SMALL, '--out', tmp_path / 'run') == 1
    assert 'No space left' in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_diverging_keeps_the_checkpoint(split, tmp_path, capsys):
    assert run(split, *SMALL, '--lr', '1e30', '--out', tmp_path / 'run') == 1
    assert 'learning rate' in capsys.readouterr().err


def test_unreadable_pictures_are_named_and_left_out(split, tmp_path, capsys, tiny):
    folder = tmp_path / 'split'
    for path in split.rglob('*.png'):
        copy = folder / path.relative_to(split)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    bad = folder / 'train' / 'stripes' / '3.png'
    bad.write_bytes(bad.read_bytes()[:200])
    assert run(folder, *SMALL, '--out', tmp_path / 'run') == 0
    out, err = capsys.readouterr()
    assert f'left out: {bad}' in err and '17 training and 6 validation images' in out


# ---------------------------------------------------------------------------------------------
# Beginning with a net


def test_init_from_copies_all_but_the_last_layer(whole, tmp_path):
    start = whole[0] / 'run' / 'best.ckpt'
    old, about = checkpoint.load(start, mx.cpu())
    net = nets.first_net({**about, 'classes': ['a', 'b', 'c']}, old, [mx.cpu()])
    before, after = ([p.data().asnumpy() for p in n.collect_params().values()] for n in (old, net))
    assert_same(before[:-2], after[:-2])
    assert after[-1].shape == (3,)


def test_frozen_features_stay_to_the_bit(whole, split, tmp_path):
    start = whole[0] / 'run' / 'best.ckpt'
    assert run(split, *SMALL[2:], '--init-from', start, '--freeze', '--out', tmp_path / 'run') == 0
    before, after = numbers(start), numbers(tmp_path / 'run' / 'last.ckpt')
    assert_same(before[:-2], after[:-2])  # BN's running statistics are among them
    assert np.abs(after[-2]).max() > 0 and not np.array_equal(before[-2], after[-2])
    about, earlier = (checkpoint.read(path) for path in (tmp_path / 'run' / 'last.ckpt', start))
    assert all(about[name] == earlier[name] for name in ('size', 'mean', 'std', 'depth'))


def test_without_freeze_all_layers_learn(whole, split, tmp_path):
    start = whole[0] / 'run' / 'best.ckpt'
    assert run(split, *SMALL[2:], '--init-from', start, '--out', tmp_path / 'run') == 0
    after = numbers(tmp_path / 'run' / 'last.ckpt')
    assert not any(np.array_equal(a, b) for a, b in zip(numbers(start), after, strict=True))


def test_pretrained_begins_with_what_was_fetched(monkeypatch, split, tmp_path):
    utils.seed_everything(0)
    about = {'depth': 18, 'classes': list('abcde'), 'stride_on_first': False, 'size': 16,
             'grey': False, **torch_files.IMAGENET}
    net = nets.first_net(about, None, [mx.cpu()])
    arrays = {name: p.asnumpy() for name, p in checkpoint.parameters(net).items()}
    (tmp_path / 'model.safetensors').write_bytes(torch_files.safetensors(arrays, about))
    monkeypatch.setattr(torch_files, 'fetch', lambda depth: tmp_path / 'model.safetensors')
    for start in (['--pretrained'], ['--init-from', tmp_path / 'model.safetensors']):
        out = tmp_path / start[0]
        assert run(split, *SMALL, *start, '--freeze', '--out', out) == 0
        known, about = checkpoint.load(out / 'last.ckpt', mx.cpu())
        assert about['mean'] == torch_files.IMAGENET['mean'] and len(about['classes']) == 2
        assert np.array_equal(known[0].weight.data().asnumpy(), net[0].weight.data().asnumpy())


def test_pretrained_without_a_network(monkeypatch, split, tmp_path, capsys):
    def fetch(depth):
        raise OSError('the weights could not be fetched')
    monkeypatch.setattr(torch_files, 'fetch', fetch)
    assert run(split, *SMALL, '--pretrained', '--out', tmp_path / 'run') == 1
    assert 'could not be fetched' in capsys.readouterr().err
    assert not (tmp_path / 'run').exists()


# ---------------------------------------------------------------------------------------------
# Batches


@pytest.mark.parametrize(('length', 'batch_size', 'workers'), [(12, 2, 3), (23, 4, 2), (5, 4, 4)])
def test_shards_are_equal_and_together_all(length, batch_size, workers):
    shards = []
    for rank in range(workers):
        np.random.seed(7)
        shard = batches.Shard(length, batch_size, rank, workers)
        shards.append(list(shard))
        assert len(shards[-1]) == len(shard)
    for step in zip(*shards, strict=True):
        assert len({len(batch) for batch in step}) == 1
    sizes = [len(batch) for batch in shards[0]]
    assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    seen = [index for shard in shards for batch in shard for index in batch]
    assert set(seen) == set(range(length))
    assert len(seen) == length + -length % workers


def test_two_shards_of_a_batch_are_the_batch_of_one_worker():
    halves = []
    for rank in (0, 1):
        np.random.seed(3)
        halves.append(list(batches.Shard(48, 8, rank, 2)))
    np.random.seed(3)
    assert [a + b for a, b in zip(*halves, strict=True)] == list(batches.Shard(48, 16))


@pytest.mark.parametrize('grey', [False, True])
def test_only_training_is_augmented_and_both_are_normalised(split, grey):
    train_set, val_set, classes = batches.load_split(split, 16, grey)
    about = {'size': 16, **batches.mean_and_std(train_set[0])}
    utils.seed_everything(0)
    data, val = batches.loaders(train_set, val_set, about, 18)
    (x, y), = data
    assert (x.shape, y.dtype, len(classes)) == ((18, 1 if grey else 3, 16, 16), np.int32, 2)
    np.testing.assert_allclose(x.mean(axis=(0, 2, 3)).asnumpy(), 0, atol=1e-3)
    np.testing.assert_allclose(((x ** 2).mean(axis=(0, 2, 3))).asnumpy(), 1, atol=1e-3)

    data, val = batches.loaders(train_set, val_set, about, 18, ['crop', 'flip', 'light'])
    for loader, same in ((data, False), (val, True)):
        passes = []
        for _ in range(2):
            np.random.seed(0)
            passes.append(np.concatenate([x.asnumpy() for x, _ in loader]))
        assert np.array_equal(*passes) == same
        assert passes[0].shape[1:] == (1 if grey else 3, 16, 16)


def test_fashion_mnist_in_two_balanced_parts():
    (images, labels), (val_images, val_labels), classes = batches.load_fashion_mnist(14, 80)
    assert images.shape == (80, 14, 14, 1) and val_images.shape == (20, 14, 14, 1)
    assert set(np.bincount(labels)) == {8} and set(np.bincount(val_labels)) == {2}
    assert len(classes) == 10 and images.dtype == np.uint8
    full = batches.load_fashion_mnist(28)
    assert [len(part) for part, _ in full[:2]] == [55_000, 5000]


def test_more_pictures_than_an_mxnet_array_holds():
    # 15,000 of 224 px, which would be 2.3 GB if they were not all one.
    images = np.broadcast_to(np.arange(3, dtype=np.uint8), (15_000, 224, 224, 3))
    about = {'size': 224, 'mean': [0, 0, 0], 'std': [1, 1, 1]}
    labels = np.arange(15_000, dtype=np.int32)
    for loader in batches.loaders((images, labels), (images, labels), about, 2, ['crop', 'flip']):
        x, _ = next(iter(loader))
        np.testing.assert_allclose(x.mean(axis=(0, 2, 3)).asnumpy(), [0, 1 / 255, 2 / 255],
                                   rtol=1e-5)


def test_mean_and_std_take_no_memory():
    images = np.random.RandomState(0).randint(0, 256, (300, 112, 112, 3), dtype=np.uint8)
    tracemalloc.start()
    try:
        batches.mean_and_std(images)
        assert tracemalloc.get_traced_memory()[1] < images.nbytes / 5
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize('data', ['folder', 'fashion-mnist'])
def test_pictures_that_do_not_fit_are_refused_before_they_are_read(split, tmp_path, monkeypatch,
                                                                   capsys, data):
    monkeypatch.setattr(batches, 'free_bytes', lambda: 30_000)
    monkeypatch.setattr(batches.pictures, 'read_picture', None)
    monkeypatch.setattr(batches.utils, 'read_fashion_mnist', None)
    options = [split] if data == 'folder' else [data, '--train-size', 40]
    assert run(*options, '--resize', 40, '--out', tmp_path / 'run') == 1
    err = capsys.readouterr().err
    # 24,000 bytes: √(24,000 / (24 · 3)) = 18.3; √(24,000 / 50) = 21.9
    assert ('24 pictures of 40 px' if data == 'folder' else '50 pictures of 40 px') in err
    assert ('18 px' if data == 'folder' else '21 px') in err and err.count('\n') == 1
    assert os.listdir(tmp_path) == []


def test_a_container_s_memory_is_the_limit(monkeypatch, tmp_path):
    (tmp_path / 'memory.max').write_text('12345\n')
    monkeypatch.setattr(batches, 'Path', lambda _: tmp_path / 'memory.max')
    assert batches.free_bytes() == 12345
    (tmp_path / 'memory.max').write_text('max\n')
    assert batches.free_bytes() > 12345


@pytest.mark.parametrize(('error', 'said'), [
    (MemoryError(), 'out of memory'),
    (mx.MXNetError('Traceback (most recent call last):\nMXNetError: larger than 2^31 elements'),
     'larger than 2^31 elements')])
def test_memory_that_ends_during_training(split, tmp_path, tiny, monkeypatch, capsys, error, said):
    def short(*_, **__):
        raise error
    monkeypatch.setattr(training.utils, 'train', short)
    assert run(split, *SMALL, '--out', tmp_path / 'run') == 1
    err = capsys.readouterr().err
    assert said in err and '--batch-size' in err and err.count('\n') == 1


def test_a_single_epoch_of_few_steps(split, tmp_path, capsys, tiny):
    assert run(split, *SMALL[:-1], 1, '--out', tmp_path / 'run') == 0
    assert '3 steps are few' in capsys.readouterr().out


def interrupted(*options, after=1, monkeypatch):
    """A run that Ctrl-C ends after so many epochs."""
    def interrupt(path, history):
        if len(history) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, 'write_history', interrupt)
        assert run(*options, '--history', 'unused.csv') == 130


@pytest.mark.parametrize('devices', ['cpu(0),cpu(1)', 'cpu(0),cpu(1),cpu(2)', 'cpu(1)'])
def test_on_any_devices_what_is_saved_was_evaluated_and_is_resumed_to_the_bit(
        split, tmp_path, tiny, monkeypatch, devices):
    options = [split, *SMALL[:-1], 4, '--devices', devices]
    assert run(*options, '--out', tmp_path / 'whole') == 0
    interrupted(*options, '--out', tmp_path / 'run', monkeypatch=monkeypatch)
    assert run(*options, '--out', tmp_path / 'run', '--resume') == 0
    whole, again = (tmp_path / name / 'last.ckpt' for name in ('whole', 'run'))
    assert_same(numbers(whole), numbers(again))
    rates = [[row['learning_rate'] for row in checkpoint.read(path)['history']]
             for path in (whole, again)]
    assert rates[0] == rates[1] and len(set(rates[0])) == 4

    *sets, _ = batches.load_split(split, 16, False)
    for name in ('best.ckpt', 'last.ckpt'):
        net, about = checkpoint.load(tmp_path / 'run' / name, mx.cpu())
        _, val = batches.loaders(*sets, about, 8)
        assert utils.evaluate_accuracy(val, net, mx.cpu()) == about['history'][-1]['test_acc']


def test_resumed_on_other_devices_it_says_that_the_bits_differ(split, tmp_path, tiny, monkeypatch,
                                                               capsys):
    options = [split, *SMALL, '--out', tmp_path / 'run']
    interrupted(*options, '--devices', 'cpu(0),cpu(1)', monkeypatch=monkeypatch)
    assert run(*options, '--devices', 'cpu(0)', '--resume') == 0
    assert ("The run was on ['cpu(0)', 'cpu(1)'], and goes on, not to the bit, on ['cpu(0)']."
            in capsys.readouterr().out)


# ---------------------------------------------------------------------------------------------
# Going on


@pytest.mark.parametrize('change', ['pixel', 'one more', 'one less', 'other class', 'val'])
def test_resumed_with_other_pictures(copy, tmp_path, tiny, monkeypatch, capsys, change):
    options = [copy, *SMALL, '--out', tmp_path / 'run']
    interrupted(*options, monkeypatch=monkeypatch)
    path = copy / ('val' if change == 'val' else 'train') / 'stripes' / '2.png'
    if change in ('pixel', 'val'):
        image = Image.open(path)
        image.putpixel((12, 10), (0, 255, 0))
        image.save(path)
    elif change == 'one more':
        shutil.copy(path, path.with_name('99.png'))
    elif change == 'one less':
        path.unlink()
    elif change == 'other class':
        path.rename(copy / 'train' / 'plain dots' / '99.png')
    before = files_of(tmp_path / 'run')
    assert run(*options, '--resume') == 1
    assert f'{copy} now has other pictures than' in capsys.readouterr().err
    assert files_of(tmp_path / 'run') == before


def test_resumed_with_the_same_in_other_words(split, copy, tmp_path, tiny, monkeypatch, capsys):
    """A moved folder, a start that is gone, an é in two characters, another working folder."""
    monkeypatch.chdir(tmp_path)
    assert run(copy, *SMALL, '--out', 'start') == 0
    for part in ('train', 'val'):
        (copy / part / 'stripes').rename(copy / part / unicodedata.normalize('NFC', 'rayé'))
    options = [*SMALL[2:], '--init-from']
    interrupted('copy/', *options, 'start/best.ckpt', '--out', 'run', monkeypatch=monkeypatch)
    shutil.rmtree('start')
    copy.rename(tmp_path / 'moved')
    for part in ('train', 'val'):
        (tmp_path / 'moved' / part / unicodedata.normalize('NFC', 'rayé')).rename(
            tmp_path / 'moved' / part / unicodedata.normalize('NFD', 'rayé'))
    monkeypatch.chdir(tmp_path / 'run')
    assert run('../moved', *options, '../start/best.ckpt', '--out', '.', '--resume') == 0
    assert len(checkpoint.read('last.ckpt')['history']) == 2
    capsys.readouterr()
    assert run('../moved', *options, '../other.ckpt', '--out', '.', '--resume') == 1
    assert 'was made with init_from = ' in capsys.readouterr().err


def test_a_checkpoint_of_an_earlier_version_is_gone_on_with(split, tmp_path, tiny, monkeypatch,
                                                            capsys):
    options = [split, *SMALL, '--out', tmp_path / 'run']
    interrupted(*options, monkeypatch=monkeypatch)
    without(tmp_path / 'run' / 'last.ckpt', 'digest', 'devices')
    assert run(*options, '--resume') == 0
    assert 'whether the pictures are still the same is not known' in capsys.readouterr().err


def without(path, *names):
    """Take entries out of a checkpoint's `about`."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members['about.json'])
    for name in names:
        del about[name]
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in {**members, 'about.json': json.dumps(about)}.items():
            archive.writestr(name, content)


@pytest.mark.parametrize('kind', ['best', 'no settings', 'no history'])
def test_checkpoints_that_cannot_be_gone_on_with(split, tmp_path, tiny, capsys, kind):
    options = [split, *SMALL, '--out', tmp_path / 'run']
    assert run(*options) == 0
    last = tmp_path / 'run' / 'last.ckpt'
    if kind == 'best':
        shutil.copy(tmp_path / 'run' / 'best.ckpt', last)
    else:
        without(last, kind.split()[1])
    capsys.readouterr()
    assert run(*options, '--resume') == 1
    err = capsys.readouterr().err
    assert str(last) in err and '--init-from' in err and err.count('\n') == 1


# ---------------------------------------------------------------------------------------------
# Files of others


def test_a_folder_in_use_is_left_alone(split, tmp_path, tiny, capsys):
    out = tmp_path / 'run'
    out.mkdir()
    (out / '.unfinished-x').touch()
    with files.locked(out):
        assert run(split, *SMALL, '--out', out) == 1
    assert f'{out} is in use' in capsys.readouterr().err
    assert os.listdir(out) == ['.unfinished-x']


def test_two_runs_in_one_folder(split, tmp_path, tiny, monkeypatch, capsys):
    """The second begins while the first is in the middle."""
    write, statuses = training.write_history, []

    def meanwhile(path, history):
        statuses.append(run(split, *SMALL, '--seed', 7, '--out', tmp_path / 'run'))
        write(path, history)

    monkeypatch.setattr(training, 'write_history', meanwhile)
    assert run(split, *SMALL, '--out', tmp_path / 'run', '--history', tmp_path / 'a.csv') == 0
    assert statuses == [1, 1] and 'is in use' in capsys.readouterr().err
    assert checkpoint.read(tmp_path / 'run' / 'last.ckpt')['settings']['seed'] == 0


def test_what_a_kill_left_is_removed(split, tmp_path, tiny):
    left = tmp_path / 'run' / '.unfinished-folder'
    left.mkdir(parents=True)
    (left / 'net.params').touch()
    (tmp_path / 'run' / '.unfinished-file').touch()
    assert run(split, *SMALL, '--out', tmp_path / 'run') == 0
    assert sorted(os.listdir(tmp_path / 'run')) == ['best.ckpt', 'last.ckpt']


@pytest.mark.parametrize('content', ['precious', '', 'epoch,step', None])
def test_only_this_run_s_own_history_is_overwritten(split, tmp_path, tiny, monkeypatch, capsys,
                                                    content):
    options = [split, *SMALL, '--out', tmp_path / 'run']
    interrupted(*options, monkeypatch=monkeypatch)
    path = tmp_path / 'a.csv'
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    own = content in ('', 'epoch,step')  # the beginning of what will be written, at least
    assert run(*options, '--history', path, '--resume') == (0 if own else 1)
    if own:
        assert path.read_text().count('\n') == 3
    else:
        assert f'{path} is not the history of this run' in capsys.readouterr().err
        assert content is None or path.read_text() == content
        assert len(checkpoint.read(tmp_path / 'run' / 'last.ckpt')['history']) == 1


@pytest.mark.parametrize(('out', 'history', 'said'), [
    ('run', 'missing/a.csv', 'missing cannot be written to: No such file or directory'),
    ('run', 'file/a.csv', 'file cannot be written to: Not a directory'),
    ('file', 'a.csv', 'File exists'), ('file/run', 'a.csv', 'Not a directory'),
    ('run', 'run/last.ckpt', 'will be a checkpoint'),
    ('run', 'run/../run/best.ckpt', 'will be a checkpoint'),
])
def test_what_cannot_be_written_is_known_before_the_first_step(
        split, tmp_path, monkeypatch, capsys, out, history, said):
    (tmp_path / 'file').write_text('precious')
    monkeypatch.setattr(batches, 'load_split', None)
    assert run(split, *SMALL, '--out', tmp_path / out, '--history', tmp_path / history) == 1
    assert said in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['file'] and (tmp_path / 'file').read_text() == 'precious'


def test_a_read_only_folder(split, tmp_path, monkeypatch, capsys):
    def refuse(dir):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(train.tempfile, 'TemporaryFile', refuse)
    monkeypatch.setattr(batches, 'load_split', None)
    assert run(split, *SMALL, '--out', tmp_path) == 1
    assert f'{tmp_path} cannot be written to: Permission denied' in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------
# As a command


def test_ctrl_c_before_anything_is_done(split, tmp_path, monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt
    monkeypatch.setattr(train, 'complete', interrupt)
    assert run(split) == 130
    assert capsys.readouterr().err == '\nInterrupted. No epoch was finished.\n'


def test_nobody_reads_on(split, monkeypatch):
    def broken(_):
        raise BrokenPipeError
    monkeypatch.setattr(train, 'train', broken)
    with pytest.raises(BrokenPipeError):  # commands.run ends quietly
        run(split)


def test_other_modules_on_the_path_and_an_ascii_terminal(split, tmp_path):
    for name in ('utils', 'resnet', 'files', 'commands'):
        (tmp_path / f'{name}.py').write_text('')
    done = subprocess.run(
        [sys.executable, SCRIPT, split, *SMALL[:-1], '1', '--out', '图'], cwd=tmp_path,
        capture_output=True, text=True, env={**os.environ, 'PYTHONIOENCODING': 'ascii',
                                             'PYTHONPATH': str(tmp_path)})
    assert done.returncode == 0 and done.stderr == ''
    assert '\\u56fe' in done.stdout and (tmp_path / '图' / 'best.ckpt').exists()


DESTRUCTOR = """
import signal, sys
sys.path[:0] = sys.argv[1:3]
import commands, train, training

class Trap:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)  # an exception in here is only printed

training.write_history = lambda path, history: len(history) == 2 and Trap() and None
sys.argv[1:3] = []
sys.exit(commands.run(train.main))
"""


def test_ctrl_c_that_falls_into_a_destructor(split, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', DESTRUCTOR, SCRIPT.parent, SCRIPT.parent.parent, split,
         *SMALL[:-1], '1000', '--out', tmp_path, '--history', tmp_path / 'a.csv'],
        capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.endswith(f'What was finished is in {tmp_path}; go on with --resume.\n')
    assert len(checkpoint.read(tmp_path / 'last.ckpt')['history']) >= 2


# ---------------------------------------------------------------------------------------------
# What is refused


@pytest.mark.parametrize(('options', 'message'), [
    ([], 'has a run already'),
    (['--resume', '--lr', '0.1'], 'was made with lr = 0.001, not 0.1'),
    (['--resume', '--seed', '6'], 'was made with seed = 5, not 6'),
    (['--resume', '--out', 'elsewhere'], 'there is no checkpoint elsewhere'),
    (['--out', 'elsewhere', '--history', SCRIPT], 'train.py exists already'),
    (['--out', 'elsewhere', '--devices', 'gpu(97)'], 'gpu(97) does not work here'),
    (['--out', 'elsewhere', '--kvstore', 'dist_sync'], 'scripts/launch_local.py'),
    (['--out', 'elsewhere', '--resize', '1000000000'], 'GB are free for them'),
    (['--out', 'elsewhere', '--init-from', 'none.ckpt'], 'there is no checkpoint none.ckpt'),
])
def test_refused(whole, capsys, options, message):
    folder, first = whole
    before = (folder / 'run' / 'last.ckpt').read_bytes()
    assert run(*first, '--out', folder / 'run', *options) == 1
    assert message in capsys.readouterr().err
    assert (folder / 'run' / 'last.ckpt').read_bytes() == before
    assert not Path('elsewhere').exists()


def test_checkpoint_of_other_pictures(whole, split, capsys):
    start = whole[0] / 'run' / 'best.ckpt'
    assert run(split, '--init-from', start, '--resize', 32) == 1
    assert 'has size 16: leave out --resize' in capsys.readouterr().err
    assert run('fashion-mnist', '--init-from', start) == 1
    assert 'has seen colour, and Fashion-MNIST is grey' in capsys.readouterr().err


def test_resumed_with_other_classes(split, whole, tmp_path, capsys, tiny):
    folder, options = whole
    data = tmp_path / 'data'
    data.symlink_to(split)
    assert run(data, *SMALL, '--out', tmp_path / 'run') == 0
    data.unlink()
    for part in ('train', 'val'):
        for name in ('a', 'b'):
            (data / part).mkdir(parents=True, exist_ok=True)
            (data / part / name).symlink_to(split / part / 'stripes')
    assert run(data, *SMALL, '--out', tmp_path / 'run', '--resume') == 1
    assert 'now has other classes' in capsys.readouterr().err


@pytest.mark.parametrize('data', ['missing', '.'])
def test_not_a_split_folder(tmp_path, capsys, data):
    assert run(tmp_path / data) == 1
    assert 'python scripts/split_data.py PICTURES SPLIT' in capsys.readouterr().err


@pytest.mark.parametrize('options', [
    ['x', '--freeze'], ['x', '--train-size', '100'], ['x', '--grey', '--pretrained'],
    ['x', '--pretrained', '--init-from', 'y'], ['x', '--devices', 'gpu0'], ['x', '--depth', '19'],
    ['x', '--devices', 'cpu(0),cpu(0)'], ['x', '--devices', 'cpu(0),cpu(00)'],
    ['x', '--devices', 'cpu(0),gpu(0)'], ['x', '--devices', 'cpu(4294967296)'],
    ['x', '--seed', str(2 ** 32)], ['x', '--epochs', '0'], ['x', '--lr', '0'],
    ['x', '--lr', 'nan'], ['x', '--augment', 'mirror'], ['fashion-mnist', '--cache', 'x'],
    [],
])
def test_command_lines_that_make_no_sense(capsys, options):
    with pytest.raises(SystemExit) as exit:
        train.main(options)
    assert exit.value.code == 2 and 'usage:' in capsys.readouterr().err
