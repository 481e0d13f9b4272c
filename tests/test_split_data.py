"""scripts/split_data.py on small folders, well made and not."""
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rules import ROOT

import pictures
import split_data
import splits


def write(path, number):
    """Writes a small picture that differs for each number; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(number).randint(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format='PNG')
    return path


def make(folder, **counts):
    """A folder with so many different pictures in each class."""
    for start, (name, count) in enumerate(sorted(counts.items())):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            write(folder / name / f'{i:03}.png', 1000 * start + i)
    return folder


@pytest.fixture
def source(tmp_path):
    return make(tmp_path / 'my photos', cat=20, dog=11)


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'split'


def tree(folder):
    """{relative path: digest of the content} of all files."""
    return {path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def run(*arguments):
    return split_data.main([str(argument) for argument in arguments])


def refused(tmp_path, capsys, *arguments):
    """What is said when nothing is done; checks that nothing was."""
    before = sorted(tmp_path.rglob('*'))
    assert run(*arguments) == 1
    assert sorted(tmp_path.rglob('*')) == before
    printed = capsys.readouterr()
    assert printed.out == '' and printed.err.count('\n') == 1
    assert printed.err.startswith('split_data.py: ')
    return printed.err


# ---------------------------------------------------------------------------------------------
# What a split is


def test_stratified_disjoint_complete_and_originals_untouched(source, out):
    before = tree(source)
    done = splits.split(source, out)
    assert tree(source) == before
    train, val = tree(out / 'train'), tree(out / 'val')
    assert train.items() | val.items() == before.items()
    assert not train.keys() & val.keys()
    assert done.train == {'cat': 16, 'dog': 9} and done.val == {'cat': 4, 'dog': 2}
    for name in ('cat', 'dog'):
        assert sum(path.startswith(name) for path in val) == done.val[name]
    assert done.left_out == [] and sorted(os.listdir(out)) == ['train', 'val']
    assert sorted(os.listdir(out.parent)) == ['my photos', 'split']


def test_golden(tmp_path, out):
    """The same on every machine, this year and next."""
    for name in ('cat', 'dog'):  # in PPM, whose bytes depend on no library's version
        (tmp_path / 's' / name).mkdir(parents=True)
        for i in range(10):
            pixels = bytes([len(name), i, name == 'cat'])
            (tmp_path / 's' / name / f'{i}.ppm').write_bytes(b'P6\n1 1\n255\n' + pixels)
    found = {}
    for seed in (0, 1):
        splits.split(tmp_path / 's', out.with_name(str(seed)), seed=seed)
        found[seed] = sorted(tree(out.with_name(str(seed)) / 'val'))
    assert found == {0: ['cat/8.ppm', 'cat/9.ppm', 'dog/4.ppm', 'dog/6.ppm'],
                     1: ['cat/1.ppm', 'cat/6.ppm', 'dog/0.ppm', 'dog/6.ppm']}


def test_seed_decides(source, tmp_path):
    vals = []
    for number, seed in enumerate((0, 0, 1, -1)):
        splits.split(source, tmp_path / str(number), seed=seed)
        vals.append(tree(tmp_path / str(number) / 'val'))
    assert vals[0] == vals[1] and vals[0] != vals[2] and vals[2] != vals[3]


def test_names_and_order_on_disk_do_not_decide(source, tmp_path, monkeypatch):
    splits.split(source, tmp_path / 'a')
    paths = sorted((source / 'cat').iterdir())
    random.Random(0).shuffle(paths)
    for number, path in enumerate(paths):
        path.rename(path.with_name(f'renamed {number}.png'))
    whole_list = pictures.find_files
    monkeypatch.setattr(splits, 'find_files', lambda folder: whole_list(folder)[::-1])
    splits.split(source, tmp_path / 'b')
    for side in ('train', 'val'):
        assert (sorted(tree(tmp_path / 'a' / side).values())
                == sorted(tree(tmp_path / 'b' / side).values()))


def test_new_pictures_of_one_class_leave_the_others_as_they_were(source, tmp_path):
    splits.split(source, tmp_path / 'a')
    for i in range(30):
        write(source / 'cat' / f'new {i}.png', 5000 + i)
    splits.split(source, tmp_path / 'b')
    assert tree(tmp_path / 'a' / 'val' / 'dog') == tree(tmp_path / 'b' / 'val' / 'dog')


@pytest.mark.parametrize(('count', 'val', 'wanted'), [
    (2, 0.2, 1), (3, 0.2, 1), (5, 0.5, 3), (10, 0.25, 3), (12, 0.2, 2), (13, 0.2, 3),
    (10, 0.99, 9), (10, 0.001, 1)])
def test_share(tmp_path, out, count, val, wanted):
    done = splits.split(make(tmp_path / 's', a=count, b=4), out, val)
    assert done.val['a'] == len(tree(out / 'val' / 'a')) == wanted
    assert done.train['a'] == len(tree(out / 'train' / 'a')) == count - wanted


@pytest.mark.parametrize('val', [0, 1, -0.1, 20, float('nan'), float('inf')])
def test_share_out_of_range(tmp_path, source, out, capsys, val):
    message = refused(tmp_path, capsys, source, out, f'--val={val}')
    assert 'val is a share between 0 and 1, such as 0.2' in message


# ---------------------------------------------------------------------------------------------
# Files


def test_links(source, out):
    assert run(source, out, '--link') == 0
    files = [path for path in out.rglob('*') if not path.is_dir()]
    assert len(files) == 31 and all(path.is_symlink() for path in files)
    assert all(path.resolve().parent.parent == source.resolve() for path in files)
    assert len(pictures.load_folder(out / 'train', 4)[0]) == 25


def test_links_of_a_relative_source_lead_to_it(source, out, monkeypatch):
    monkeypatch.chdir(source.parent)
    assert run(source.name, out.name, '--link') == 0
    assert all(path.exists() for path in out.rglob('*'))


def test_linked_pictures_are_copied_as_pictures(tmp_path, source, out):
    elsewhere = write(tmp_path / 'elsewhere.png', 77)
    (source / 'cat' / 'link.png').symlink_to(elsewhere)
    splits.split(source, out)
    copy, = out.rglob('link.png')
    assert not copy.is_symlink() and copy.read_bytes() == elsewhere.read_bytes()


def test_unreadable_files_are_listed_and_left_out(source, out, capsys):
    good = (source / 'cat' / '000.png').read_bytes()
    (source / 'cat' / 'cut.png').write_bytes(good[:len(good) // 2])
    (source / 'cat' / 'empty.png').touch()
    (source / 'dog' / 'text.jpg').write_text('no picture')
    (source / 'dog' / 'gone.png').symlink_to(source / 'nowhere')
    (source / 'dog' / 'loop').symlink_to(source / 'dog')
    (source / 'notes.txt').write_text('in no class')
    assert run(source, out) == 0
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[0] == 'left out: 6'
    for name, reason in (('cat/cut.png', 'cannot be decoded'), ('cat/empty.png', 'an empty file'),
                         ('dog/text.jpg', 'not a picture'), ('dog/gone.png', 'a broken link'),
                         ('dog/loop', 'a folder'), ('notes.txt', 'in no class folder')):
        assert any(line.startswith(f'  {source}/{name}: {reason}') for line in lines)
    assert len(tree(out)) == 31
    assert printed.out.splitlines()[1:4] == ['cat       16      4', 'dog        9      2',
                                             'all       25      6']


def test_what_systems_leave_is_in_no_part(tmp_path, source, out, capsys):
    for name in ('@eaDir', '#recycle', '$RECYCLE.BIN', 'System Volume Information', 'lost+found'):
        for folder in (source / name, source / 'cat' / name / '000.png'):
            for i in range(3):
                write(folder / f'SYNOFILE_THUMB_{i}.jpg', 9000 + i)
    assert run(source, out) == 0
    assert capsys.readouterr().err == '' and len(tree(out)) == 31


def test_a_folder_that_cannot_be_listed_is_named(source, out, capsys, monkeypatch):
    write(source / 'cat' / '2023' / 'a.png', 9000)
    scandir, hidden = os.scandir, str(source / 'cat' / '2023')

    def refuses(path):
        if str(path) == hidden:
            raise PermissionError(13, 'Permission denied', hidden)
        return scandir(path)
    monkeypatch.setattr('os.scandir', refuses)
    assert run(source, out) == 0
    assert capsys.readouterr().err == f'left out: 1\n  {hidden}: Permission denied\n'
    hidden = str(source / 'dog')
    shutil.rmtree(out)
    assert run(source, out) == 1
    assert f'({hidden}: Permission denied)' in capsys.readouterr().err and not out.exists()


def test_a_picture_that_vanishes_is_left_out(source, out, monkeypatch):
    read = splits.read_picture

    def vanishes(path, size):
        read(path, size)
        if path.name == '003.png':
            path.unlink()
    monkeypatch.setattr(splits, 'read_picture', vanishes)
    done = splits.split(source, out)
    assert [(path.name, why) for path, why in done.left_out] == [
        ('003.png', 'No such file or directory')] * 2
    assert len(tree(out)) == 29


def test_files_in_subfolders_keep_their_path(source, out):
    write(source / 'cat' / '2023' / '000.png', 7001)
    write(source / 'cat' / '2024' / '000.png', 7002)
    splits.split(source, out)
    assert len([path for path in tree(out) if path.endswith('/2023/000.png')]) == 1
    assert len(tree(out)) == 33


@pytest.mark.parametrize('names', [
    ['猫', '狗'], ['قطة', 'كلب'], ['🐈', '🐕'], ['a b ', "o'clock"], ['-v', '--link'],
    ['%s', '{0}'], ['Cat', 'catfish']])
def test_names_in_any_script(tmp_path, out, names, capsys):
    for number, name in enumerate(names):
        for i in range(5):
            write(tmp_path / 's 中文' / name / f'{name} {i}.jpg', 10 * number + i)
    assert run(tmp_path / 's 中文', out) == 0
    assert {path.name for path in (out / 'val').iterdir()} == set(names)
    printed = capsys.readouterr()
    assert all(name in printed.out for name in names) and not printed.err
    assert pictures.find_classes(out / 'train') == sorted(names)
    assert len(tree(out)) == 10


def test_names_that_differ_only_in_normalisation_are_two_files(source, out):
    for number, name in enumerate(('caf\u00e9.png', 'cafe\u0301.png')):
        write(source / 'cat' / name, 8000 + number)
    if len(os.listdir(source / 'cat')) < 22:
        pytest.skip('this file system takes the two names for one')
    splits.split(source, out)
    assert len(tree(out)) == 33


def test_name_that_is_no_utf8(source, out):
    name = os.fsdecode(b'caf\xe9.png')
    try:
        write(source / 'cat' / name, 9000)
    except OSError:
        pytest.skip('this file system has only UTF-8')
    (source / 'cat' / os.fsdecode(b'\xff.png')).touch()
    script = ROOT / 'scripts' / 'split_data.py'
    for encoding in ('utf-8', 'ascii'):
        done = subprocess.run([sys.executable, script, source, out.with_name(encoding)], text=True,
                              env={**os.environ, 'PYTHONIOENCODING': encoding},
                              capture_output=True)
        assert done.returncode == 0 and 'an empty file' in done.stderr
        assert len(tree(out.with_name(encoding))) == 32


def test_ascii_terminal(tmp_path, out):
    make(tmp_path / 's', 猫=3, 狗=3)
    script = ROOT / 'scripts' / 'split_data.py'
    done = subprocess.run([sys.executable, script, tmp_path / 's', out], capture_output=True,
                          text=True, env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert done.returncode == 0 and '\\u732b' in done.stdout


# ---------------------------------------------------------------------------------------------
# Equal files


def test_equal_files_in_two_classes_are_left_out_and_named(source, out, capsys):
    shutil.copy(source / 'cat' / '003.png', source / 'dog' / 'also.png')
    assert run(source, out) == 0
    assert len(tree(out)) == 30
    assert not list(out.rglob('also.png')) and not list(out.rglob('cat/003.png'))
    error = capsys.readouterr().err
    for name in ('cat/003.png', 'dog/also.png'):
        assert f'{source}/{name}: equal files are in the classes cat, dog' in error


@pytest.mark.parametrize('seed', range(5))
def test_equal_files_of_one_class_stay_together(source, out, seed):
    for i in range(0, 20, 3):
        for copy in range(2):
            shutil.copy(source / 'cat' / f'{i:03}.png', source / 'cat' / f'{i:03} ({copy}).png')
    done = splits.split(source, out, seed=seed)
    train, val = (set(tree(out / side).values()) for side in ('train', 'val'))
    assert not train & val
    assert len(tree(out / 'train' / 'cat')) + len(tree(out / 'val' / 'cat')) == 34
    assert 4 <= done.val['cat'] <= 7  # 7, if no group stands across


def test_few_large_groups(tmp_path, out):
    for i in range(10):
        write(tmp_path / 's' / 'cat' / f'{i}.png', 7000 + i % 2)
    make(tmp_path / 's', dog=10)
    done = splits.split(tmp_path / 's', out)
    assert done.val['cat'] == done.train['cat'] == 5


# ---------------------------------------------------------------------------------------------
# What cannot be split


def test_nothing_to_split(tmp_path, out, capsys):
    assert 'is missing' in refused(tmp_path, capsys, tmp_path / 'gone', out)
    (tmp_path / 's').mkdir()
    write(tmp_path / 's' / 'a.png', 0)
    assert 'it has none' in refused(tmp_path, capsys, tmp_path / 's', out)
    assert 'is not a folder' in refused(tmp_path, capsys, tmp_path / 's' / 'a.png', out)
    make(tmp_path / 's', cat=5)
    assert 'it has only one, cat' in refused(tmp_path, capsys, tmp_path / 's', out)
    (tmp_path / 's' / 'dog').mkdir()
    assert 'class dog in' in (said := refused(tmp_path, capsys, tmp_path / 's', out))
    assert 'has no picture that can be used' in said
    write(tmp_path / 's' / 'dog' / 'a.png', 1000)
    shutil.copy(tmp_path / 's' / 'dog' / 'a.png', tmp_path / 's' / 'dog' / 'b.png')
    assert 'class dog in' in (said := refused(tmp_path, capsys, tmp_path / 's', out))
    assert 'has only one picture (not counting equal ones)' in said


def test_a_class_whose_pictures_all_lie_in_another_class_too(tmp_path, source, out, capsys):
    shutil.copytree(source / 'dog', source / 'wolf')
    assert 'class dog in' in refused(tmp_path, capsys, source, out)


def test_two_class_folders_of_one_name(tmp_path, source, out, capsys):
    for number, name in enumerate(('caf\u00e9', 'cafe\u0301')):
        write(source / name / 'a.png', 8000 + number)
    if len(os.listdir(source)) < 4:
        pytest.skip('this file system takes the two names for one')
    assert 'has two folders named' in refused(tmp_path, capsys, source, out)


@pytest.mark.parametrize('kind', ['full', 'empty', 'file', 'broken link'])
def test_existing_out_is_refused(tmp_path, source, out, capsys, kind):
    if kind == 'full':
        write(out / 'precious.png', 1)
    elif kind == 'empty':
        out.mkdir()
    elif kind == 'file':
        out.write_text('precious')
    else:
        out.symlink_to(tmp_path / 'nowhere')
    assert f'{out} exists already' in refused(tmp_path, capsys, source, out)


def test_out_inside_source_is_refused(tmp_path, source, capsys):
    for out in (source / 'split', source / 'cat' / 'deep' / 'split',
                source / '..' / source.name / 'split'):
        assert 'would lie inside' in refused(tmp_path, capsys, source, out)
    (tmp_path / 'alias').symlink_to(source)
    assert 'would lie inside' in refused(tmp_path, capsys, source, tmp_path / 'alias' / 'split')


def test_what_is_split_already_is_refused(tmp_path, source, out, capsys):
    splits.split(source, out)
    assert 'it is split already' in refused(tmp_path, capsys, out, tmp_path / 'again')


@pytest.mark.parametrize('names', [['train', 'val', 'test'], ['Training', 'Testing']])
def test_parts_of_a_split_are_no_classes(tmp_path, out, capsys, names):
    for number, name in enumerate(names):
        make(tmp_path / 's' / name, cat=3 + number, dog=3)
    said = refused(tmp_path, capsys, tmp_path / 's', out)
    assert 'it is split already' in said and 'into one folder first' in said


@pytest.mark.parametrize('extra', [False, True])
def test_classes_that_hold_only_folders_are_refused(tmp_path, source, out, capsys, extra):
    make(source / 'wild', wolf=3, lynx=2)
    write(source / 'wild' / 'lynx' / 'old' / 'a.png', 9000)
    if extra:  # what is no picture does not count
        (source / 'wild' / 'labels.csv').write_text('1,wolf')
    said = refused(tmp_path, capsys, source, out)
    assert f'{source}/wild has no pictures of its own, only folders such as lynx' in said
    assert f'split {source}/wild; if not, bring' in said
    write(source / 'wild' / 'fox.png', 9001)
    assert run(source, out) == 0


def test_parents_of_out_are_made(source, tmp_path):
    assert run(source, tmp_path / 'a' / 'b' / 'split') == 0
    assert len(tree(tmp_path / 'a' / 'b' / 'split')) == 31


# ---------------------------------------------------------------------------------------------
# What can go wrong on the way


@pytest.mark.parametrize(('error', 'said'), [
    (OSError(28, 'No space left on device', '/x/3.png'), 'No space left on device: /x/3.png'),
    (PermissionError(13, 'Permission denied', '/x/3.png'), 'Permission denied: /x/3.png'),
    (KeyboardInterrupt(), 'stopped')])
def test_failure_leaves_nothing_behind(tmp_path, source, out, capsys, monkeypatch, error, said):
    calls, copyfile = [], shutil.copyfile

    def fails(path, target):
        calls.append(target)
        assert target.is_relative_to(tmp_path) and not out.exists()
        if len(calls) == 9:
            raise error
        copyfile(path, target)
    monkeypatch.setattr(splits.shutil, 'copyfile', fails)
    before = sorted(tmp_path.rglob('*'))
    assert run(source, out) == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert len(calls) == 9 and sorted(tmp_path.rglob('*')) == before
    assert capsys.readouterr().err == f'split_data.py: {said}; nothing was written\n'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing_behind(tmp_path, source, out, number):
    slow = ('import shutil, sys, time\n'
            'import commands, split_data\n'
            'copyfile = shutil.copyfile\n'
            'def slowly(*paths):\n'
            '    copyfile(*paths)\n'
            '    print("copied", flush=True)\n'
            '    time.sleep(0.1)\n'
            'shutil.copyfile = slowly\n'
            'sys.exit(commands.run(split_data.main))\n')
    before = sorted(tmp_path.rglob('*'))
    process = subprocess.Popen([sys.executable, '-c', slow, source, out], cwd=ROOT / 'scripts',
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(3):
        assert process.stdout.readline() == 'copied\n'
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == 'split_data.py: stopped; nothing was written\n'
    assert process.returncode == 128 + number and sorted(tmp_path.rglob('*')) == before


def test_read_only_target(tmp_path, source, capsys, monkeypatch):
    target = tmp_path / 'read only'
    target.mkdir()
    target.chmod(0o500)
    if os.access(target, os.W_OK):  # root may write everywhere
        def refuses(*_, **__):
            raise PermissionError(13, 'Permission denied', str(target))
        monkeypatch.setattr(splits.tempfile, 'mkdtemp', refuses)
    assert 'Permission denied' in refused(tmp_path, capsys, source, target / 'split')
    target.chmod(0o700)


def test_two_files_that_the_target_takes_for_one(tmp_path, source, out, capsys, monkeypatch):
    """Cat.png and cat.png on a disk that ignores case."""
    exists = splits.Path.exists
    monkeypatch.setattr(splits.Path, 'exists',
                        lambda path: path.name == '005.png' or exists(path))
    said = refused(tmp_path, capsys, source, out)
    assert '005.png is there already' in said and 'nothing was written' in said


def test_out_may_be_read_by_others(source, out):
    """Not 0700, as temporary folders are."""
    splits.split(source, out)
    (source.parent / 'usual').mkdir()
    assert out.stat().st_mode == (source.parent / 'usual').stat().st_mode


# ---------------------------------------------------------------------------------------------
# The command line


def test_report(source, out, capsys):
    assert run(source, out) == 0
    assert capsys.readouterr().out == (
        'class  train    val\n'
        'cat       16      4\n'
        'dog        9      2\n'
        'all       25      6\n'
        f'{out} is ready: train.py {out} trains on it.\n')


def test_wrong_usage():
    for arguments in ([], ['a'], ['a', 'b', 'c'], ['a', 'b', '--val', 'much']):
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 2


def test_help_and_silence_without_a_terminal(source, out):
    script = ROOT / 'scripts' / 'split_data.py'
    shown = subprocess.run([sys.executable, script, '--help'], capture_output=True, text=True)
    assert shown.returncode == 0
    for word in ('SOURCE', 'OUT', '--val', '--seed', '--link', 'exit status'):
        assert word in shown.stdout
    done = subprocess.run([sys.executable, script, source, out], capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if k != 'TQDM_DISABLE'})
    assert done.returncode == 0 and done.stderr == ''
