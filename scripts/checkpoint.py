"""A trained net in one file, with all that is needed to use it or to go on training it.

The file is a zip archive of net.params (the net's parameters and BN's running statistics, in
MXNet's format), about.json and, to go on training, trainer.states (the optimizer's). A zip keeps a
checksum of each, so that damage is noticed.
"""
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import mxnet as mx

import resnet

FORMAT = 1
DEPTHS = (18, 34, 50, 101, 152)


def new_net(about):
    """The ResNet that `about` describes, without parameters: (b, 1 or 3, h, w) → (b, classes).

    about: a dictionary with depth (18, 34, 50, 101 or 152), classes (their names) and
    stride_on_first (see resnet.Bottleneck).
    """
    options = {'stride_on_first': True} if about['stride_on_first'] else {}
    return getattr(resnet, f'resnet{about["depth"]}')(len(about['classes']), **options)


def save(path, net, about, trainer=None):
    """Write `net` and the dictionary `about` to `path`, whole or not at all.

    about: what new_net needs, how to prepare a picture (size in pixels, grey, mean and std of each
    channel), and whatever else JSON can hold. trainer: kept too if given, for resuming.

    Raises OSError, for example when the disk is full; an earlier file at `path` is then as it was.
    """
    unfinished = path.with_name(f'.{path.name}.tmp')
    try:
        with tempfile.TemporaryDirectory() as folder:
            parts = [Path(folder, 'net.params')]
            net.save_parameters(str(parts[0]))
            if trainer:
                parts.append(Path(folder, 'trainer.states'))
                trainer.save_states(str(parts[1]))
            with zipfile.ZipFile(unfinished, 'w') as archive:
                archive.writestr('about.json', json.dumps({'format': FORMAT, **about}, indent=2))
                for part in parts:
                    archive.write(part, part.name)
        with open(unfinished, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except mx.MXNetError as error:  # which is how a full disk shows itself inside MXNet
        raise OSError(f'{path} could not be written: {str(error).splitlines()[0]}') from None
    finally:
        unfinished.unlink(missing_ok=True)


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


def load_trainer(path, trainer):
    """Give `trainer` the optimizer's state (momentum, number of steps) kept at `path`.

    The state is a Python pickle, which could run code when it is read: resume your own runs only.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        trainer.load_states(archive.extract('trainer.states', folder))
