"""scripts/cache.py: decoded once, the same bits as in memory, whatever happens meanwhile."""
import utils  # isort: skip  before mxnet, for its threads

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

import batches
import cache
import checkpoint
import files
import pictures
import train
import training

SMALL = ['--resize', '16', '--lr', '0.001', '--batch-size', '8', '--epochs', '2']


@pytest.fixture(autouse=True)
def small_and_settled(monkeypatch):
    """Folders of any size have a cache, and files of any age are taken for what they were."""
    monkeypatch.setattr(cache, 'LEAST', 0)
    monkeypatch.setattr(cache, 'SETTLED', 0)


@pytest.fixture
def split(tmp_path):
    """30 + 10 pictures in two classes, every other row of 'stripes' dark; two files are none."""
    random = np.random.RandomState(0)
    for part, count in (('train', 15), ('val', 5)):
        for name in ('plain dots', 'stripes'):
            folder = tmp_path / 'split' / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = random.randint(100, 256, (20, 24, 3)).astype(np.uint8)
                if name == 'stripes':
                    image[::2] //= 8
                Image.fromarray(image).save(folder / f'{number}.png')
            (folder / 'bad.png').write_bytes(b'no picture')
    return tmp_path / 'split'


@pytest.fixture
def seen(monkeypatch):
    """The names of the files that are decoded, and of those that are hashed, in two lists."""
    lists = [], []

    def noted(function, names):
        def call(path, *arguments):
            names.append('/'.join(Path(path).parts[-3:]))
            return function(path, *arguments)
        return call

    monkeypatch.setattr(pictures, 'read_picture', noted(pictures.read_picture, lists[0]))
    monkeypatch.setattr(cache, 'identify', noted(cache.identify, lists[1]))
    return lists


def load(split, where=None, size=16, grey=False):
    """What train.py has of a split: two sets as arrays, classes and facts."""
    train_set, val_set, classes = batches.load_split(split, size, grey,
                                                     where or cache.place(split))
    arrays = [np.array(list(part)) for part in (*train_set, *val_set)]
    return arrays, classes, batches.facts(train_set, val_set)


def in_memory(split, size=16, grey=False):
    *sets, classes = batches.load_split(split, size, grey)
    return [part for pair in sets for part in pair], classes, batches.facts(*sets)


def assert_same(found, wanted):
    for a, b in zip(found[0], wanted[0], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert found[1:] == wanted[1:]


def pieces(split):
    return sorted(cache.place(split).glob('*/*/pictures'))


# ---------------------------------------------------------------------------------------------
# The same, and only once


@pytest.mark.parametrize('grey', [False, True])
def test_the_same_bits_as_in_memory_and_as_noted(split, capsys, grey):
    wanted = in_memory(split, grey=grey)
    said = capsys.readouterr().err
    assert said.count('left out: ') == 4
    for _ in range(2):
        assert_same(load(split, grey=grey), wanted)
        assert capsys.readouterr().err == said


def test_a_second_start_decodes_hashes_and_adds_up_nothing(split, seen, monkeypatch):
    first, (decoded, hashed) = load(split), seen
    assert len(decoded) == len(hashed) == 44
    monkeypatch.setattr(batches, 'digest', None)
    assert_same(load(split), first)
    assert len(decoded) == len(hashed) == 44


def test_pictures_are_as_an_array_and_not_kept(split):
    (images, _), _, _ = batches.load_split(split, 16, False, cache.place(split))
    assert (len(images), images.shape, images.dtype) == (30, (30, 16, 16, 3), np.uint8)
    assert images[3] is not images[3]
    with pytest.raises(IndexError):
        images[30]


def test_sizes_and_colours_side_by_side(split, seen):
    for size, grey in ((16, False), (12, False), (16, True)) * 2:
        assert_same(load(split, size=size, grey=grey), in_memory(split, size, grey))
    # Each in memory twice, and once into its part of the cache.
    assert len(seen[0]) == 44 * 3 * 3


def test_a_small_folder_leaves_no_file(split, monkeypatch):
    monkeypatch.setattr(cache, 'LEAST', 45)
    images = batches.load_split(split, 16, False, cache.place(split))[0][0]
    assert isinstance(images, np.ndarray) and not cache.place(split).exists()


@pytest.mark.parametrize('name', [b'\xff.png', 'é.png'.encode(), b'"\n.png'])
def test_any_name(split, seen, name):
    path = os.fsencode(split / 'train' / 'stripes') + b'/' + name
    shutil.copy(split / 'train' / 'stripes' / '0.png', path)
    for _ in range(2):
        assert len(load(split)[0][0]) == 31
    assert len(seen[0]) == 45


# ---------------------------------------------------------------------------------------------
# Pictures that change


def paint(path, value=7):
    Image.fromarray(np.full((20, 24, 3), value, dtype=np.uint8)).save(path, compress_level=0)


@pytest.mark.parametrize(('change', 'decoded'), [
    ('changed', ['train/stripes/3.png']), ('added', ['val/stripes/0 more.png']), ('removed', []),
    ('renamed', ['train/stripes/new.png']), ('other class', ['train/plain dots/new.png']),
    ('mended', ['train/stripes/bad.png']), ('broken', ['train/stripes/3.png'])])
def test_what_changes_is_decoded_again_and_nothing_else(split, seen, change, decoded):
    load(split)
    seen[0].clear()
    path = split / 'train' / 'stripes' / '3.png'
    if change == 'changed':
        paint(path)
    elif change == 'added':
        paint(split / 'val' / 'stripes' / '0 more.png')
    elif change == 'removed':
        path.unlink()
    elif change == 'renamed':
        path.rename(path.with_name('new.png'))
    elif change == 'other class':
        path.rename(split / 'train' / 'plain dots' / 'new.png')
    elif change == 'mended':
        paint(path.with_name('bad.png'))
    elif change == 'broken':
        path.write_bytes(path.read_bytes()[:60])
    found = load(split)
    assert seen[0] == decoded
    assert_same(found, in_memory(split))


@pytest.mark.parametrize('how', ['in place', 'another file', 'a link'])
def test_another_picture_of_the_same_size_and_time_is_noticed(split, tmp_path, how):
    path = split / 'train' / 'stripes' / '3.png'
    paint(path, 1)
    if how == 'a link':
        path.rename(tmp_path / 'a.png')
        path.symlink_to(tmp_path / 'a.png')
    first, before = load(split), path.stat()
    new = path if how == 'in place' else tmp_path / 'new.png'
    paint(new, 2)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    if how == 'another file':
        new.rename(path)
    elif how == 'a link':
        path.unlink()
        path.symlink_to(new)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert load(split)[2] != first[2]
    assert_same(load(split), in_memory(split))


def test_a_touched_file_is_hashed_again_once_and_not_decoded(split, seen):
    first, (decoded, hashed) = load(split), seen
    (split / 'train' / 'stripes' / '3.png').touch()
    decoded.clear(), hashed.clear()
    for _ in range(2):
        assert_same(load(split), first)
    assert (decoded, hashed) == ([], ['train/stripes/3.png'])


def test_a_folder_that_was_copied_with_its_cache_is_not_decoded(split, tmp_path, seen):
    first, (decoded, hashed) = load(split), seen
    shutil.copytree(split, tmp_path / 'new' / 'split')
    shutil.copytree(cache.place(split), tmp_path / 'new' / 'split.cache')
    decoded.clear(), hashed.clear()
    for _ in range(2):
        assert_same(load(tmp_path / 'new' / 'split'), first)
    assert decoded == [] and len(hashed) == 44


def test_what_is_young_is_hashed_until_it_is_settled(split, seen, monkeypatch):
    first, (_, hashed) = load(split), seen
    cache_folder = cache.place(split)
    shutil.rmtree(cache_folder)
    monkeypatch.setattr(cache, 'SETTLED', 10 ** 18)
    for _ in range(2):
        hashed.clear()
        assert_same(load(split), first)
        assert len(hashed) == 44
    monkeypatch.setattr(cache, 'SETTLED', 0)
    for count in (44, 0):
        hashed.clear()
        assert_same(load(split), first)
        assert len(hashed) == count


def test_another_decoder_decodes_all(split, seen, monkeypatch):
    load(split)
    seen[0].clear()
    monkeypatch.setattr(cache.PIL, '__version__', '99')
    load(split)
    assert len(seen[0]) == 44


# ---------------------------------------------------------------------------------------------
# What goes wrong


@pytest.mark.parametrize('damage', ['cut', 'empty', 'shorter', 'other bytes', 'gone', 'no JSON'])
def test_a_damaged_piece_is_decoded_again(split, seen, damage):
    first = load(split)
    path = pieces(split)[0]
    whole = path.read_bytes()
    length = int.from_bytes(whole[-8:], 'little')
    if damage == 'gone':
        path.unlink()
    else:
        path.write_bytes({'cut': whole[:-1], 'empty': b'', 'shorter': whole[1:],
                          'other bytes': b'\xff' * len(whole),
                          'no JSON': whole[:-length - 8] + b'?' * length + whole[-8:]}[damage])
    seen[0].clear()
    assert_same(load(split), first)
    assert 1 <= len(seen[0]) < 8


@pytest.mark.parametrize('text', ['', '[]', '{', '\xff'])
def test_damaged_notes_cost_time_only(split, text):
    first = load(split)
    for name in ('hashes.json', '16-rgb/facts.json'):
        (cache.place(split) / name).write_text(text, 'latin-1')
    assert_same(load(split), first)


def refusal(split, **options):
    """The single line that says why a split cannot be loaded."""
    with pytest.raises(ValueError) as caught:
        load(split, **options)
    text = str(caught.value)
    assert '\n' not in text and '--cache' in text and str(cache.place(split).parent) in text
    return text


def test_a_full_disk_keeps_what_was_done(split, seen, monkeypatch):
    wanted, sync, calls = in_memory(split), os.fsync, []

    def full(number):
        calls.append(number)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(number)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, 'fsync', full)
        assert 'No space left on device. Make room' in refusal(split)
    assert len(pieces(split)) == 5 and not list(cache.place(split).rglob('.unfinished-*'))
    done = len(seen[0])
    assert_same(load(split), wanted)
    assert len(seen[0]) < done + 44


def test_a_disk_that_will_be_full_is_known_before_anything_is_decoded(split, seen, monkeypatch):
    monkeypatch.setattr(cache.shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(9, 9, 9))
    assert 'GB are free. Make room' in refusal(split)
    assert seen[0] == []


def test_a_read_only_folder(split, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    assert 'Not a directory' in refusal(split, where=tmp_path / 'file' / 'x')

    wanted = load(split)

    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    for name in ('open', 'mkdir'):
        monkeypatch.setattr(files.os, name, read_only)
    monkeypatch.setattr(files, 'whole', read_only)
    (cache.place(split) / '16-rgb' / 'facts.json').unlink()
    (split / 'train' / 'stripes' / '3.png').touch()
    assert_same(load(split), wanted)  # all is there, so nothing has to be written
    paint(split / 'train' / 'stripes' / '3.png')
    assert 'Read-only file system' in refusal(split)


def test_a_piece_that_is_cut_while_it_is_in_use(split):
    (images, _), _, _ = batches.load_split(split, 16, False, cache.place(split))
    for path in pieces(split):
        os.truncate(path, 0)
    with pytest.raises(OSError, match='was cut short'):
        images[0]


def test_ctrl_c_is_not_kept_waiting(split, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(cache, 'write_piece', interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(split)


SLOW = """
import sys, time
sys.path[:0] = sys.argv[1:3]
import utils, batches, cache, pictures
from pathlib import Path

read = pictures.read_picture
def slow(path, *arguments):
    print('decoded', path, flush=True)
    time.sleep(0.05)
    return read(path, *arguments)
pictures.read_picture, cache.LEAST, split = slow, 0, Path(sys.argv[3])
*sets, _ = batches.load_split(split, 16, False, cache.place(split), int(sys.argv[4]), 2)
print('facts', batches.facts(*sets))
"""


def slowly(split, rank=0):
    """A process that decodes a split at leisure."""
    folders = [Path(module.__file__).parent for module in (train, utils)]
    return subprocess.Popen([sys.executable, '-c', SLOW, *folders, split, str(rank)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_a_kill_in_the_middle(split, seen):
    wanted = in_memory(split)
    process = slowly(split)
    try:
        end = time.monotonic() + 300
        while len(pieces(split)) < 5:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = len(pieces(split))
    assert 5 <= done < 30
    left = [pieces(split)[0].with_name(f'.unfinished-{number}') for number in range(2)]
    for path, hours in zip(left, (2, 0), strict=True):
        path.touch()
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    paint(split / 'train' / 'stripes' / '3.png')
    wanted = in_memory(split)
    seen[0].clear()
    assert_same(load(split), wanted)
    assert len(seen[0]) <= 44 - done + 1
    assert [path.exists() for path in left] == [False, True]  # one may be of another worker


def test_two_at_once_share_the_work(split):
    wanted = in_memory(split)
    processes = [slowly(split, rank) for rank in (0, 1)]
    said = [process.communicate(timeout=300)[0].splitlines() for process in processes]
    assert [lines[-1] for lines in said] == [f'facts {wanted[2]}'] * 2
    decoded = [line for lines in said for line in lines if line.startswith('decoded')]
    assert len(decoded) == len(set(decoded)) == 44
    assert_same(load(split), wanted)


# ---------------------------------------------------------------------------------------------
# Training


def run(*arguments):
    utils.free_memory()
    return train.main([str(argument) for argument in arguments])


def numbers(path):
    net, about = checkpoint.load(path, mx.cpu())
    about.pop('settings')
    for row in about['history']:
        row.pop('time')
    return [p.data().asnumpy() for p in net.collect_params().values()], about


def test_training_from_the_cache_and_resuming_to_the_bit(split, tmp_path, monkeypatch, capsys):
    options = [split, *SMALL, '--augment', 'crop', 'flip', 'light', '--cache', tmp_path / 'there']
    with monkeypatch.context() as patch:
        patch.setattr(cache, 'LEAST', 45)
        assert run(*options, '--out', tmp_path / 'memory') == 0
    assert not (tmp_path / 'there').exists()

    def interrupt(path, history):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(training, 'write_history', interrupt)
        assert run(*options, '--out', tmp_path / 'run', '--history', tmp_path / 'a.csv') == 130
    assert run(*options, '--out', tmp_path / 'run', '--resume') == 0
    assert os.listdir(tmp_path / 'there') == ['split.cache'] and not cache.place(split).exists()
    (mine, about), (theirs, their_about) = (numbers(tmp_path / name / 'last.ckpt')
                                            for name in ('run', 'memory'))
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert about == their_about

    (tmp_path / 'file').touch()
    capsys.readouterr()
    assert run(*options[:-1], tmp_path / 'file', '--out', tmp_path / 'other') == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and err[0].startswith('train.py: ') and '--cache' in err[0]


def test_resume_refuses_what_has_changed(split, tmp_path, capsys):
    options = [split, *SMALL, '--out', tmp_path / 'run']
    assert run(*options) == 0
    paint(split / 'val' / 'stripes' / '3.png')
    assert run(*options, '--resume') == 1
    assert 'now has other pictures than' in capsys.readouterr().err
