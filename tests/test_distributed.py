"""Two workers under scripts/launch_local.py, with MXNet's servers: notebook 11's claims."""
import utils  # isort: skip  before mxnet, for its threads

import subprocess
import sys
import time
from pathlib import Path

import mxnet as mx
import numpy as np
import psutil
import pytest
from mxnet import init, nd
from mxnet.gluon import nn
from PIL import Image

import batches
import cache
import checkpoint
import launch_local
import train
import training

TINY = ['python', train.__file__, 'fashion-mnist', '--kvstore', 'dist_sync', '--train-size', '48',
        '--batch-size', '8', '--resize', '16', '--lr', '0.01', '--epochs', '4']


def command(*arguments):
    return [sys.executable, launch_local.__file__, '2', '--', *map(str, arguments)]


def launch(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=180)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')


# ---------------------------------------------------------------------------------------------
# The same steps


def fit(folder, batch_size, seed, store='device', rank=0, workers=1):
    """Train a small net without BN by training.fit; run and parameters are in `folder`."""
    train_set, val_set, classes = batches.load_fashion_mnist(14, 48)
    about = {'classes': classes, 'size': 14, 'mean': [0.3], 'std': [0.3], 'history': []}
    data = batches.loaders(train_set, val_set, about, batch_size, [], rank, workers)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, kernel_size=3, activation='relu'),
            nn.Conv2D(16, kernel_size=3, strides=2, activation='relu'), nn.Dense(10))
    net.infer_shape(nd.zeros((1, 1, 14, 14)))
    utils.seed_everything(seed)
    net.initialize(init.Xavier())
    folder.mkdir()
    net.save_parameters(str(folder / 'before'))
    training.fit(net, data, about, folder, [mx.cpu()], epochs=2, lr=0.1, kvstore=store, rank=rank,
                 workers=workers)
    net.save_parameters(str(folder / 'after'))


def work(folder):
    """What each of the two workers does. They begin with different parameters."""
    store = mx.kv.create('dist_sync')
    fit(folder / f'worker {store.rank}', 8, store.rank, store, store.rank, store.num_workers)


def test_two_workers_take_the_steps_of_one_with_twice_the_batch(tmp_path):
    folders = [str(Path(path).parent) for path in (__file__, train.__file__, utils.__file__)]
    done = launch('python', '-c', f'import sys; sys.path += {folders}; import test_distributed, '
                  f'pathlib; test_distributed.work(pathlib.Path({str(tmp_path)!r}))')
    assert done.returncode == 0, done.stderr
    fit(tmp_path / 'alone', 16, seed=0)

    before, alone, mine, theirs = (
        {name: array.asnumpy() for name, array in nd.load(str(tmp_path / path)).items()}
        for path in ('alone/before', 'alone/after', 'worker 0/after', 'worker 1/after'))
    for name in before:
        np.testing.assert_array_equal(mine[name], theirs[name])
        np.testing.assert_allclose(mine[name], alone[name], atol=1e-5)
        assert np.abs(alone[name] - before[name]).max() > 1e-3
    assert (tmp_path / 'worker 0/last.ckpt').exists()
    assert not (tmp_path / 'worker 1/last.ckpt').exists()


# ---------------------------------------------------------------------------------------------
# A folder of pictures


def draw(split, count):
    """Pictures of 12 x 12 pixels, in two classes that are not easily told apart."""
    random = np.random.RandomState(0)
    for part, n in (('train', count), ('val', 41)):
        for number in range(n):
            path = split / part / 'ab'[number % 2] / f'{number}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            level = random.randint(60, 130) + 60 * (number % 2)
            pixels = random.randint(level - 50, level + 50, (12, 12)).astype(np.uint8)
            Image.fromarray(pixels).save(path)


def test_two_workers_share_the_decoding_and_validate_as_one(tmp_path, capsys):
    split, out = tmp_path / 'split', tmp_path / 'run'
    draw(split, cache.LEAST)
    options = [str(option) for option in (
        split, '--resize', 12, '--grey', '--batch-size', 64, '--lr', 0.01, '--epochs', 2, '--out',
        out)]
    done = launch('python', train.__file__, *options, '--kvstore', 'dist_sync')
    assert done.returncode == 0, done.stderr
    assert len(list(cache.place(split).glob('12-grey/*/pictures'))) == cache.PIECES
    assert not list(cache.place(split).rglob('.unfinished-*'))

    net, about = checkpoint.load(out / 'last.ckpt', mx.cpu())
    *sets, _ = batches.load_split(split, 12, grey=True)  # in memory
    assert {name: about[name] for name in ('digest', 'mean', 'std')} == batches.facts(*sets)
    _, val = batches.loaders(*sets, about, 64)
    assert utils.evaluate_accuracy(val, net, mx.cpu()) == about['history'][-1]['test_acc']
    assert [len(batches.loaders(*sets, about, 1, rank=rank, workers=2)[1]) for rank in (0, 1)] == [
        21, 20]

    assert train.main([*options, '--resume']) == 1
    assert capsys.readouterr().err == (
        f'train.py: {out}/last.ckpt was made with workers = 2, not 1; a run is resumed with the '
        'options that it was started with\n')


# ---------------------------------------------------------------------------------------------
# Failing, and going on


def numbers(path):
    net, about = checkpoint.load(path, mx.cpu())
    return [p.data().asnumpy() for p in net.collect_params().values()], about['history']


def test_a_killed_worker_ends_the_job_and_resume_goes_on_to_the_bit(tmp_path):
    done = launch(*TINY, '--out', tmp_path / 'whole')
    assert done.returncode == 0, done.stderr
    launcher = subprocess.Popen(command(*TINY, '--out', tmp_path / 'run'), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 120
        while not (tmp_path / 'run/last.ckpt').exists():
            assert launcher.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        workers = [child for child in psutil.Process(launcher.pid).children()
                   if child.environ().get('DMLC_ROLE') == 'worker']
        workers[1].kill()
        _, stderr = launcher.communicate(timeout=60)
    finally:
        launcher.terminate()
    assert launcher.returncode == 137
    assert stderr == 'launch_local: worker 1 was ended by SIGKILL; everything is stopped\n'
    assert len(numbers(tmp_path / 'run/last.ckpt')[1]) < 4

    done = launch(*TINY, '--out', tmp_path / 'run', '--resume')
    assert done.returncode == 0, done.stderr
    (mine, my_rows), (theirs, their_rows) = (numbers(tmp_path / run / 'last.ckpt')
                                             for run in ('run', 'whole'))
    assert [row['loss'] for row in my_rows] == [row['loss'] for row in their_rows]
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_worker_that_fails_ends_the_job(tmp_path):
    done = launch(*TINY, '--out', tmp_path / 'run', '--history', tmp_path / 'no folder/a.csv')
    assert done.returncode == 1
    problem, verdict = done.stderr.splitlines()
    assert problem.startswith('worker 0: train.py: ') and 'no folder' in problem
    assert verdict == 'launch_local: worker 0 ended with status 1; everything is stopped'
