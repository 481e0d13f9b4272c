"""A trained net in one file, with all that is needed to use it or to go on training it.

The file is a zip archive of net.params (the net's parameters and BN's running statistics, in
MXNet's format), about.json and, to go on training, trainer.params (the momentum of each parameter,
by its number) and trainer.json (the steps taken). Arrays and JSON only: nothing in a checkpoint is
ever executed. A zip keeps a checksum of each, so that damage is noticed.
"""
import json
import math
import os
import tempfile
import zipfile
from pathlib import Path

import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx
import numpy as np
from mxnet import init, nd

import torch_files
from about import FORMAT, is_about, read_json
from files import whole
from nets import new_net

# ---------------------------------------------------------------------------------------------
# Writing


def save(path, net, about, trainer=None):
    """Write `net` and the dictionary `about` to `path`, whole or not at all.

    path: a Path. about: what nets.new_net needs, how to prepare a picture (size in pixels, grey,
    mean and std of each channel), and whatever else JSON can hold. trainer: kept too if given, for
    resuming. Of a net on several devices, what the first one has is written.

    Raises OSError, for example when the disk is full; an earlier file at `path` is then as it was.
    """
    parts = {'net.params': parameters(net)}
    if trainer:
        parts['trainer.params'] = momenta(trainer)
    # Near the file, where a later run finds what a kill -9 leaves.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.unfinished-') as folder:
        with whole(path, 'w+b') as file:
            with zipfile.ZipFile(file, 'w') as archive:
                archive.writestr('about.json', json.dumps({'format': FORMAT, **about}, indent=2))
                if trainer:
                    steps = {'num_update': trainer.optimizer.num_update}
                    archive.writestr('trainer.json', json.dumps(steps))
                for name, arrays in parts.items():
                    archive.write(write_arrays(Path(folder, name), arrays), name)
            with zipfile.ZipFile(file) as archive:
                if damaged := archive.testzip():
                    raise OSError(f'{path} could not be written: {damaged} is damaged')


def parameters(net):
    """{name: array} of all parameters, as Gluon's save_parameters names them.

    It would write means over the devices, and even the mean of equal numbers may be another.
    """
    return {name: p.data(p.list_ctx()[0]) for name, p in net._collect_params_with_prefix().items()}


def momenta(trainer):
    """{number of the parameter: array}, the momentum of each in `trainer`'s SGD."""
    return {str(i): momentum for i, momentum in trainer._updaters[0].states.items()}


def write_arrays(path, arrays):
    """Write {name: array} to a new file; returns its path. Raises OSError if the disk is full."""
    try:
        # Copies, for oneDNN may still be changing the layout of the net's own arrays.
        nd.save(str(path), {name: array.copyto(mx.cpu()) for name, array in arrays.items()})
        read_arrays(path.read_bytes())  # MXNet does not notice when the last 4 KB are missing
    except (mx.MXNetError, ValueError) as error:
        raise OSError(f'{path.name} could not be written; is the disk full? '
                      f'({str(error).splitlines()[-1]})') from None
    return path


# ---------------------------------------------------------------------------------------------
# Reading


def load(path, ctx):
    """The net at `path`, on `ctx` (one device or a list), and its `about`.

    path: a checkpoint, or a file of PyTorch's (see torch_files.read, also for what its `about`
    lacks). Raises FileNotFoundError, or ValueError for a file that is not a whole one.
    """
    about = read(path)
    net = new_net(about)
    net.infer_shape(nd.zeros((1, 1 if about['grey'] else 3, 32, 32)))
    params = net._collect_params_with_prefix()
    try:
        arrays = read_net(path)
        check_arrays(arrays, {name: p.shape for name, p in params.items()})
    except ValueError as error:
        raise ValueError(f'{path}: its parameters are not those of a ResNet-{about["depth"]} '
                         f'for {len(about["classes"])} classes: {error}') from None
    net.initialize(init.Zero(), ctx=ctx)
    for name, p in params.items():
        p.set_data(nd.array(arrays[name]))
    return net, about


def load_to_ask(path, ctx):
    """As load, for a net that is asked about pictures, of which its `about` has to say the size.

    Raises ValueError also for PyTorch's weights, which do not say it.
    """
    net, about = load(path, ctx)
    if 'size' not in about:
        raise ValueError(f'{path} does not say which classes and pictures it is for: it is only to '
                         'begin with, train.py --init-from')
    return net, about


def read_net(path):
    """{name: array} of the net in the file `path`. Raises ValueError for damage."""
    if torch_files.is_one(path):
        return torch_files.read(path)[1]
    with zipfile.ZipFile(path) as archive:
        return read_arrays(archive.read('net.params'))


def read(path):
    """The `about` of the file at `path`, whose checksums are compared; errors as in load."""
    if not Path(path).exists():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    if torch_files.is_one(path):
        return torch_files.read(path)[0]
    try:
        if not Path(path).is_file():  # a pipe would keep us waiting for ever
            raise ValueError('not a file')
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
            names = set(archive.namelist())
            about = archive.read('about.json') if 'about.json' in names else b''
    except Exception as error:  # damaged files make zipfile raise almost anything
        raise ValueError(f'{path} is not a whole checkpoint ({error}): it was cut short, altered, '
                         'or is another kind of file. train.py writes best.ckpt and last.ckpt; '
                         'take the other one, or train again.') from None
    try:
        about = read_json(about)
    except ValueError:
        about = None
    if 'net.params' not in names or not is_about(about):
        raise ValueError(f'{path} is a zip archive, but not a checkpoint of scripts/train.py')
    return about


def check_archive(archive):
    """Raises zipfile.BadZipFile for damage, and for what `save` never writes."""
    for member in archive.infolist():  # not compressed, so that it takes no more room than here
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise zipfile.BadZipFile(f'{member.filename} is compressed')
    if damaged := archive.testzip():
        raise zipfile.BadZipFile(f'the checksum of {damaged} is wrong')


def read_arrays(content):
    """The arrays in bytes that mx.nd.save has written, as {name: float32 array of NumPy}.

    Raises ValueError for any other bytes, of which MXNet's own reader would end the process.
    """
    position = 0

    def take(kind, count=1):
        nonlocal position
        if not 0 <= count <= len(content) - position:
            raise ValueError('there are bytes missing')
        values = np.frombuffer(content, kind, count, position)
        position += values.nbytes
        return values.tolist() if kind != '<f4' else values

    magic, reserved, count = take('<u8', 3)
    if (magic, reserved) != (0x112, 0):
        raise ValueError("this is not MXNet's format")
    arrays = []
    while len(arrays) < count:
        (kind,), (stored, dimensions) = take('<u4'), take('<i4', 2)
        shape = take('<i8', dimensions)
        *_device, number_type = take('<i4', 3)
        if (kind, stored, number_type) != (0xF993FAC9, 0, 0) or min(shape, default=0) < 1:
            raise ValueError('an array is not of 32-bit floating-point numbers')
        arrays.append(take('<f4', math.prod(shape)).reshape(shape))
    (count,) = take('<u8')
    names = [bytes(take('u1', *take('<u8'))).decode() for _ in range(min(count, len(arrays)))]
    if count != len(arrays) or len(set(names)) != count or position != len(content):
        raise ValueError('names and arrays are not as many')
    return dict(zip(names, arrays, strict=True))


def check_arrays(arrays, shapes):
    """Raises ValueError if these are not finite numbers for these names and shapes."""
    if missing := shapes.keys() - arrays.keys():
        raise ValueError(f'there is no {min(missing)}')
    if extra := arrays.keys() - shapes.keys():
        raise ValueError(f'there is one more, {min(extra)}')
    for name, array in arrays.items():
        if array.shape != tuple(shapes[name]):
            raise ValueError(f'{name} has the shape {array.shape}, not {tuple(shapes[name])}')
        if not np.isfinite(array).all():
            raise ValueError(f'{name} is NaN or infinite')


def check_resumable(path):
    """Raises ValueError if the checkpoint at `path` does not say how far its training was."""
    with zipfile.ZipFile(path) as archive:
        if not {'trainer.params', 'trainer.json'} <= set(archive.namelist()):
            raise ValueError(f'{path} holds a net, but not how far its training was: begin a new '
                             'run with --init-from')


def load_trainer(path, trainer):
    """Give `trainer` the optimizer's state (momentum, number of steps) kept at `path`.

    The learning rate and its schedule are `trainer`'s own. Raises ValueError where no such state
    is kept, as in best.ckpt, or that of another net.
    """
    check_resumable(path)
    trainer.save_states(os.devnull)  # Gluon has made its updaters after this
    with zipfile.ZipFile(path) as archive:
        try:
            arrays = read_arrays(archive.read('trainer.params'))
            check_arrays(arrays, {str(i): p.shape for i, p in enumerate(trainer._params)
                                  if p.grad_req != 'null'})
            steps = read_json(archive.read('trainer.json'))['num_update']
            if type(steps) is not int or steps < 1:
                raise ValueError(f'{steps} is no number of steps')
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold its optimizer's state as train.py writes it: "
                             f'{error}') from None
    # The first for the schedule, the second for the counts of all devices, which are by layer.
    trainer.optimizer.num_update = trainer.optimizer.begin_num_update = steps
    for updater in trainer._updaters:  # one for each device, with momentum of its own
        updater.states = {int(i): nd.array(momentum) for i, momentum in arrays.items()}
        updater.states_synced = dict.fromkeys(updater.states, False)
