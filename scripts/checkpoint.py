"""A trained net in one file, with all that is needed to use it or to go on training it.

The file is a zip archive of net.params (the net's parameters and BN's running statistics, in
MXNet's format), about.json and, to go on training, trainer.params (the momentum of each parameter,
by its number) and trainer.json (the steps taken). Arrays and JSON only: nothing in a checkpoint is
ever executed. A zip keeps a checksum of each, so that damage is noticed.
"""
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx

from files import whole
from nets import new_net

FORMAT = 1


def save(path, net, about, trainer=None):
    """Write `net` and the dictionary `about` to `path`, whole or not at all.

    path: a Path. about: what nets.new_net needs, how to prepare a picture (size in pixels, grey,
    mean and std of each channel), and whatever else JSON can hold. trainer: kept too if given, for
    resuming.

    Raises OSError, for example when the disk is full; an earlier file at `path` is then as it was.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            parts = [Path(folder, 'net.params')]
            net.save_parameters(str(parts[0]))
            if trainer:
                parts += save_trainer(Path(folder), trainer)
            with whole(path, 'wb') as file, zipfile.ZipFile(file, 'w') as archive:
                archive.writestr('about.json', json.dumps({'format': FORMAT, **about}, indent=2))
                for part in parts:
                    archive.write(part, part.name)
    except mx.MXNetError as error:  # which is how a full disk shows itself inside MXNet
        raise OSError(f'{path} could not be written: {str(error).splitlines()[0]}') from None


def load(path, ctx):
    """The net at `path`, on `ctx` (one device or a list), and its `about`.

    Raises FileNotFoundError, or ValueError for a file that is not a whole checkpoint.
    """
    about = read(path)
    net = new_net(about)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        try:
            net.load_parameters(archive.extract('net.params', folder), ctx=ctx)
        except (AssertionError, ValueError, mx.MXNetError) as error:
            raise ValueError(f'{path}: its parameters are not those of a ResNet-{about["depth"]} '
                             f'for {len(about["classes"])} classes: '
                             f'{str(error).strip().splitlines()[0]}') from None
    return net, about


def read(path):
    """The `about` of the checkpoint at `path`, whose checksums are compared; errors as in load."""
    if not Path(path).exists():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f'the checksum of {damaged} is wrong')
            about = json.loads(archive.read('about.json'))
            archive.getinfo('net.params')
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ValueError(f'{path} is not a whole checkpoint ({error}): it was cut short, altered, '
                         'or is another kind of file. train.py writes best.ckpt and last.ckpt; '
                         'take the other one, or train again.') from None
    except (KeyError, ValueError):
        about = {}
    if about.get('format') != FORMAT:
        raise ValueError(f'{path} is a zip archive, but not a checkpoint of scripts/train.py')
    return about


def save_trainer(folder, trainer):
    """Write the state of `trainer`'s SGD to two files in `folder`; returns their paths."""
    arrays, steps = folder / 'trainer.params', folder / 'trainer.json'
    optimizer = trainer.optimizer
    mx.nd.save(str(arrays), {str(i): momentum
                             for i, momentum in trainer._updaters[0].states.items()})
    steps.write_text(json.dumps({'num_update': optimizer.num_update,
                                 'updates': optimizer._index_update_count}))
    return [arrays, steps]


def load_trainer(path, trainer):
    """Give `trainer` the optimizer's state (momentum, number of steps) kept at `path`.

    The learning rate and its schedule are `trainer`'s own. Raises ValueError where no such state
    is kept, as in best.ckpt.
    """
    trainer.save_states(os.devnull)  # Gluon has made its updaters after this
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        if not {'trainer.params', 'trainer.json'} <= set(archive.namelist()):
            raise ValueError(f'{path} holds a net, but not how far its training was: begin a new '
                             'run with --init-from')
        momenta = mx.nd.load(archive.extract('trainer.params', folder))
        steps = json.loads(archive.read('trainer.json'))
    trainer.optimizer.num_update = steps['num_update']
    trainer.optimizer._index_update_count.update(
        {int(i): count for i, count in steps['updates'].items()})
    for updater in trainer._updaters:  # each brings its copies to its device at the next step
        updater.states = {int(i): momentum for i, momentum in momenta.items()}
        updater.states_synced = dict.fromkeys(updater.states, False)
