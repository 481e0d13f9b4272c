"""scripts/predict.py with an untrained net: what it says, and of what it says that it cannot."""
import utils  # isort: skip  before mxnet, for its threads

import csv
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet import init, nd
from PIL import Image

import checkpoint
import files
import nets
import pictures
import predict
import prediction
from answers import predict_files

SCRIPT = Path(predict.__file__)
CLASSES = ['猫', 'a dog', 'it, "so"', 'cow']
ABOUT = {'depth': 18, 'classes': CLASSES, 'stride_on_first': False, 'size': 16, 'grey': False,
         'mean': [0.5, 0.4, 0.3], 'std': [0.2, 0.25, 0.3]}


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """A checkpoint whose net answers differently for different pictures."""
    utils.free_memory()
    utils.seed_everything(0)
    net = nets.new_net(ABOUT)
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0))
    net(nd.zeros((1, 3, 16, 16)))
    net[-1].weight.set_data(net[-1].weight.data() / 10)  # or it would be sure of everything
    path = tmp_path_factory.mktemp('saved') / 'best.ckpt'
    checkpoint.save(path, net, ABOUT)
    return path


@pytest.fixture(scope='module')
def net(saved):
    return checkpoint.load(saved, mx.cpu())[0]


@pytest.fixture(autouse=True)
def load_once(saved, net, monkeypatch):
    """Saves half a second a test; the command as a whole is tested below."""
    load = checkpoint.load
    monkeypatch.setattr(checkpoint, 'load', lambda path, ctx: (
        (net, ABOUT) if path == saved else load(path, ctx)))


@pytest.fixture
def photo():
    """A colour picture, 40 wide and 30 high, of which no half equals the other."""
    noise = np.random.RandomState(0).randint(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((40, 30), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """Three pictures that differ much, in a folder with a space in its name."""
    (tmp_path / 'some pictures').mkdir()
    for number, colour in enumerate(('white', 'blue', 'darkred')):
        Image.new('RGB', (20, 24), colour).save(tmp_path / 'some pictures' / f'{number} 图.png')
    return tmp_path / 'some pictures'


def run(*arguments):
    return predict.main([str(argument) for argument in arguments])


def lines(capsys, *arguments):
    """{file: [(class, probability), …]} as printed, for arguments that give no error."""
    assert run(*arguments) == 0
    printed = capsys.readouterr()
    assert printed.err == ''
    answers = {}
    for line in printed.out.splitlines():
        name, _, rest = line.partition(': ')
        for label in CLASSES:  # one of them has a comma
            rest = rest.replace(label, str(CLASSES.index(label)))
        pairs = [pair.split() for pair in rest.split(', ')]
        answers[name] = [(CLASSES[int(i)], float(p)) for i, p in pairs]
    return answers


# ---------------------------------------------------------------------------------------------
# Answers


def test_probabilities_are_the_softmax_of_the_net_for_normalised_pictures(net):
    images = np.random.RandomState(0).randint(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    found = prediction.predict(net, ABOUT, images, mx.cpu())
    x = (images / 255 - ABOUT['mean']) / ABOUT['std']
    out = net(nd.array(x.transpose(0, 3, 1, 2))).asnumpy().astype('float64')
    wanted = np.exp(out) / np.exp(out).sum(axis=1, keepdims=True)
    assert found.shape == (5, 4) and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert np.ptp(wanted, axis=0).max() > 0.01  # or it would not matter what the pictures are


def test_batches_do_not_matter(net, monkeypatch):
    images = list(np.random.RandomState(0).randint(0, 256, (5, 16, 16, 3), dtype=np.uint8))
    whole = prediction.predict(net, ABOUT, images, mx.cpu())
    monkeypatch.setattr(prediction, 'BATCH_SIZE', 2)
    np.testing.assert_allclose(prediction.predict(net, ABOUT, images, mx.cpu()), whole, atol=1e-5)
    assert prediction.predict(net, ABOUT, [], mx.cpu()).shape == (0, 4)


def test_grey_net(photo, tmp_path):
    about = {**ABOUT, 'grey': True, 'mean': [0.5], 'std': [0.2]}
    net = nets.new_net(about)
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0))
    photo.save(tmp_path / 'colour.png')
    photo.convert('L').save(tmp_path / 'grey.png')
    paths = [tmp_path / 'colour.png', tmp_path / 'grey.png']
    found = list(predict_files(
        lambda images: prediction.predict(net, about, images, mx.cpu()), about, paths, 4))
    colour, grey = (dict(answer) for _, answer, _ in found)
    assert colour == pytest.approx(grey, abs=0.02)


def test_one_line_a_picture_most_probable_first(saved, net, folder, capsys):
    paths = sorted(folder.iterdir())
    found = lines(capsys, saved, *paths, '--top', 3)
    assert list(found) == [str(path) for path in paths]
    images = [pictures.read_picture(path, 16) for path in paths]
    for answers, row in zip(found.values(), prediction.predict(net, ABOUT, images, mx.cpu()),
                            strict=True):
        order = np.argsort(-row)[:3]
        assert [label for label, _ in answers] == [CLASSES[i] for i in order]
        assert [p for _, p in answers] == pytest.approx(list(row[order]), abs=6e-4)
    assert len({tuple(answers) for answers in found.values()}) == 3


def test_folder_and_default_top(saved, folder, capsys):
    (folder / '.hidden').write_text('not looked at')
    (folder / 'more').mkdir()
    Image.new('RGB', (5, 5)).save(folder / 'more' / 'a.png')
    found = lines(capsys, saved, folder)
    assert len(found) == 4 and all(len(answers) == 1 for answers in found.values())


def test_more_than_there_are_classes(saved, folder, capsys):
    for answers in lines(capsys, saved, folder, '--top', 99).values():
        assert sorted(label for label, _ in answers) == sorted(CLASSES)
        assert sum(p for _, p in answers) == pytest.approx(1, abs=0.01)


def test_rotated_by_tag_is_the_upright_picture(saved, photo, tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: to be turned by a quarter, clockwise
    photo.save(tmp_path / 'a.png')
    photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / 'b.png', exif=exif)
    photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / 'untagged.png')
    upright, tagged, lying = (tuple(answer) for answer in lines(
        capsys, saved, *(tmp_path / f'{name}.png' for name in ('a', 'b', 'untagged')),
        '--top', 4).values())
    assert upright == tagged != lying


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'LA', 'CMYK', '1', 'I;16'])
def test_every_mode_is_taken(saved, photo, tmp_path, capsys, mode):
    grey = photo.convert('L')
    if mode == 'I;16':
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = photo.convert(mode)
    like = image.convert('RGB') if mode in ('1', 'P') else (
        grey if mode in ('L', 'LA', 'I;16') else photo)
    image.save(tmp_path / 'a.tif')
    like.save(tmp_path / 'b.png')
    found, wanted = (dict(answers) for answers in lines(
        capsys, saved, tmp_path / 'a.tif', tmp_path / 'b.png', '--top', 4).values())
    assert found == pytest.approx(wanted, abs=0.02)


# ---------------------------------------------------------------------------------------------
# What cannot be read


def test_unreadable_pictures_are_named_and_the_rest_goes_on(saved, folder, capsys):
    whole = (folder / '0 图.png').read_bytes()
    (folder / '00 cut.png').write_bytes(whole[:len(whole) // 2])
    (folder / '3.txt').write_text('hello')
    assert run(saved, folder, folder / 'gone.png') == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    errors = printed.err.splitlines()
    assert errors[0].startswith(f'{folder}/00 cut.png: cannot be decoded')
    assert errors[1].startswith(f'{folder}/3.txt: not a picture')
    assert errors[2:] == [f'{folder}/gone.png: no such file', '3 of 6 could not be read']


@pytest.mark.parametrize('name', ['x' * 300, 'a\0b', 'x/' * 3000, 'folder/x.png/y.png'])
def test_each_path_by_itself(saved, folder, capsys, name):
    good = folder / '0 图.png'
    assert run(saved, good, folder / name, good) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    errors = printed.err.splitlines()
    assert len(errors) == 2 and errors[1] == '1 of 3 could not be read'


def test_pipes_and_what_systems_leave(saved, folder, capsys):
    os.mkfifo(folder / 'pipe.png')
    for name in ('@eaDir/1.jpg', 'System Volume Information/2.png', 'Thumbs.db'):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new('RGB', (5, 5)).save(folder / name, 'PNG')
    assert run(saved, folder, folder / 'pipe.png', '/dev/null') == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert printed.err.splitlines() == [
        f'{folder}/pipe.png: not a file', f'{folder}/pipe.png: not a file', '/dev/null: not a file',
        '3 of 6 could not be read']


def test_folders_that_cannot_be_listed(saved, folder, capsys, monkeypatch):
    (folder / 'more').mkdir()
    (folder.parent / 'closed').mkdir()
    scandir, closed = os.scandir, [str(folder / 'more'), str(folder.parent / 'closed')]

    def refuses(path):
        if str(path) in closed:
            raise PermissionError(13, 'Permission denied', os.fspath(path))
        return scandir(path)
    monkeypatch.setattr('os.scandir', refuses)
    assert run(saved, folder, folder.parent / 'closed') == 1
    assert capsys.readouterr().err.splitlines() == [
        *(f'{path}: Permission denied' for path in closed), '2 of 5 could not be read']


def test_a_pipe_is_no_checkpoint(folder, tmp_path, capsys):
    os.mkfifo(tmp_path / 'pipe.ckpt')
    assert run(tmp_path / 'pipe.ckpt', folder) == 1
    assert 'pipe.ckpt is not a whole checkpoint (not a file)' in capsys.readouterr().err


def test_nothing_that_can_be_read(saved, tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    assert run(saved, tmp_path / 'empty') == 1
    printed = capsys.readouterr()
    assert printed.out == '' and 'empty: a folder, not a picture' in printed.err


@pytest.mark.parametrize('kind', ['missing', 'empty', 'cut', 'text', 'zip', 'params', 'folder',
                                  'another net', 'more classes'])
def test_no_whole_checkpoint(saved, net, folder, tmp_path, capsys, kind):
    path, whole = tmp_path / 'bad.ckpt', saved.read_bytes()
    if kind == 'empty':
        path.touch()
    elif kind == 'cut':
        path.write_bytes(whole[:len(whole) - 1000])
    elif kind == 'text':
        path.write_text('hello')
    elif kind == 'zip':
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('hello.txt', 'hello')
    elif kind == 'params':
        net.save_parameters(str(path))
    elif kind == 'folder':
        path.mkdir()
    elif kind == 'another net':
        checkpoint.save(path, net, {**ABOUT, 'depth': 34})
    elif kind == 'more classes':
        checkpoint.save(path, net, {**ABOUT, 'classes': [*CLASSES, 'pig']})
    assert run(path, folder) == 1
    printed = capsys.readouterr()
    assert printed.out == '' and printed.err.count('\n') == 1
    assert printed.err.startswith('predict.py: ') and 'bad.ckpt' in printed.err
    assert 'checkpoint' in printed.err or 'parameters are not those' in printed.err


# ---------------------------------------------------------------------------------------------
# The table


def test_csv(saved, folder, tmp_path, capsys):
    (folder / 'bad.png').write_text('no picture')
    assert run(saved, folder, '--top', 2, '--csv', tmp_path / 'out.csv') == 1
    with open(tmp_path / 'out.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ['file', 'class_1', 'probability_1', 'class_2', 'probability_2',
                             'error']
    assert [row['file'] for row in rows] == [
        str(folder / name) for name in ('0 图.png', '1 图.png', '2 图.png', 'bad.png')]
    assert rows[3]['class_1'] == '' and rows[3]['error'].startswith('not a picture')
    shown = capsys.readouterr().out.splitlines()
    for row, line in zip(rows, shown, strict=False):
        assert row['class_1'] in CLASSES and row['error'] == ''
        first, second = (float(row[f'probability_{i}']) for i in (1, 2))
        assert 1 >= first >= second >= 0
        assert line == (f'{row["file"]}: {row["class_1"]} {first:.3f}, '
                        f'{row["class_2"]} {second:.3f}')
    assert sorted(os.listdir(tmp_path)) == ['out.csv', 'some pictures']


def test_csv_is_never_overwritten(saved, folder, tmp_path, capsys):
    (tmp_path / 'out.csv').write_text('precious')
    assert run(saved, folder, '--csv', tmp_path / 'out.csv') == 1
    printed = capsys.readouterr()
    assert printed.out == '' and 'exists already' in printed.err
    assert (tmp_path / 'out.csv').read_text() == 'precious'
    assert run(saved, folder, '--csv', tmp_path / 'gone' / 'out.csv') == 1
    assert 'is no folder' in capsys.readouterr().err


def test_a_table_that_cannot_be_written_is_found_before_the_work(saved, folder, tmp_path, capsys,
                                                                 monkeypatch):
    def refuses(*_, **__):
        raise PermissionError(13, 'Permission denied', str(tmp_path))
    monkeypatch.setattr(files, 'open', refuses, raising=False)
    assert run(saved, folder, '--csv', tmp_path / 'out.csv') == 1
    printed = capsys.readouterr()
    assert printed.out == '' and 'Permission denied' in printed.err


def test_full_disk_leaves_no_half_table(saved, folder, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(files.os, 'replace', full)
    assert run(saved, folder, '--csv', tmp_path / 'out.csv') == 1
    assert 'No space left on device' in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['some pictures']


# ---------------------------------------------------------------------------------------------
# The command line


def test_wrong_usage(saved, capsys):
    for arguments in ([], [saved], [saved, 'a.png', '--top', '0'], [saved, 'a.png', '--top', 'x']):
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 2


def test_as_a_command_from_elsewhere(saved, folder, tmp_path):
    """Another folder, a terminal without Chinese, a name that is no UTF-8, no bar in the way."""
    name = os.fsdecode(b'caf\xe9.png')
    try:
        (folder / name).write_bytes((folder / '1 图.png').read_bytes())
    except OSError:  # this file system has only UTF-8
        name = '1 图.png'
    done = subprocess.run(
        [sys.executable, SCRIPT, saved, folder.name, '--top', '9', '--csv', 'out.csv'],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert done.returncode == 0 and done.stderr == ''
    assert len(done.stdout.splitlines()) == len(os.listdir(folder))
    table = (tmp_path / 'out.csv').read_text('utf-8')
    assert '\\u732b' in done.stdout and '猫' in table
    assert table.splitlines()[0].count(',') == 2 * len(CLASSES) + 1  # no columns for five more


def test_ctrl_c(saved, folder, capsys, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(prediction, 'predict', stopped)
    assert run(saved, folder) == 130
    assert capsys.readouterr().err == 'predict.py: stopped\n'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_nothing_behind(saved, folder, tmp_path, number):
    slow = ('import sys, tempfile, time\n'
            'import checkpoint, commands, predict\n'
            'def slowly(*_):\n'
            '    with tempfile.TemporaryDirectory():\n'
            '        print("begun", flush=True)\n'
            '        time.sleep(60)\n'
            'checkpoint.load = slowly\n'
            'sys.exit(commands.run(predict.main))\n')
    (tmp_path / 'temporary').mkdir()
    process = subprocess.Popen(
        [sys.executable, '-c', slow, saved, folder, '--csv', tmp_path / 'out.csv'],
        cwd=SCRIPT.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'TMPDIR': str(tmp_path / 'temporary'), 'PYTHONPATH': '..'})
    assert process.stdout.readline() == 'begun\n'
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == 'predict.py: stopped\n'
    assert process.returncode == 128 + number
    assert os.listdir(tmp_path / 'temporary') == []
    assert sorted(os.listdir(tmp_path)) == ['some pictures', 'temporary']


def test_broken_pipe_ends_quietly(saved, folder):
    """predict.py … | head -1"""
    process = subprocess.Popen([sys.executable, SCRIPT, saved, folder],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == '' and process.wait(timeout=60) == 141
