"""Train a ResNet on a folder of pictures, or on Fashion-MNIST.

    python scripts/split_data.py PICTURES SPLIT
    python scripts/train.py SPLIT
    python scripts/predict.py runs/SPLIT/best.ckpt PICTURE

Notebook 09 walks through the same functions, notebook 10 measures when --init-from and --freeze
pay, notebook 11 explains --devices and --kvstore.
"""
import argparse
import contextlib
import functools
import os
import re
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

# These two folders before all others that may have a `utils` or a `resnet`.
sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])
import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
import utils  # before mxnet, for its threads

import mxnet as mx

import batches
import cache
import checkpoint
import files
import nets
import pictures
import torch_files
import training
from about import DEPTHS

# The settings that a resumed run must share with the one that it goes on with, beside the pictures.
FIXED = ('depth', 'size', 'grey', 'epochs', 'batch_size', 'lr', 'augment', 'seed', 'train_size',
         'pretrained', 'init_from', 'freeze', 'workers')


class Refused(Exception):
    """Something that the user has to change; the message says what."""


def devices(text):
    """'gpu(0),gpu(1)' as a list of MXNet's devices."""
    found = re.findall(r'(cpu|gpu)\(([0-9]{1,4})\)', text)
    if ','.join(f'{kind}({number})' for kind, number in found) != text:
        raise argparse.ArgumentTypeError(f"write devices like gpu(0),gpu(1), not '{text}'")
    devices = [mx.Context(kind, int(number)) for kind, number in found]
    if len(set(devices)) < len(devices):
        raise argparse.ArgumentTypeError(f"'{text}' names a device twice")
    if len({kind for kind, _ in found}) > 1:  # MXNet counts the steps of cpu(0) and gpu(0) as one
        raise argparse.ArgumentTypeError(f"'{text}' mixes CPUs and GPUs: name one kind")
    return devices


def parse(arguments):
    """The command line's options."""
    parser = argparse.ArgumentParser(
        description='Train a ResNet on a folder of pictures, or on Fashion-MNIST.',
        epilog='The learning rate rises from 0 during the first epoch, then falls along a cosine. '
               'Interrupt with Ctrl-C whenever you like, and go on later with --resume. '
               'For few pictures begin with a net that has learned from many: '
               '"train.py NEW --init-from runs/OLD/best.ckpt" trains all of it further '
               '(fine-tuned), with --freeze only a new last layer; notebook 10 compares them.')
    parser.add_argument('data', metavar='DATA', help='a folder that split_data.py made, with '
                        'train/ and val/ in it, or the word fashion-mnist')
    parser.add_argument('--out', type=Path, help='folder for best.ckpt and last.ckpt, the best '
                        "and the last epoch's net (default: runs/ and the name of the data)")
    parser.add_argument('--resume', action='store_true', help='go on with the run in --out; give '
                        'the other options as before')
    parser.add_argument('--history', type=Path, metavar='FILE.csv',
                        help='also write loss and accuracy of each epoch to this file')
    group = parser.add_argument_group('the net')
    group.add_argument('--depth', type=int, choices=DEPTHS,
                       help='number of layers (default: 18)')
    start = group.add_mutually_exclusive_group()
    start.add_argument('--pretrained', action='store_true', help="begin with torchvision's "
                       'ImageNet weights, for colour pictures; they are fetched once, from '
                       "Hugging Face's hub or, if HF_ENDPOINT names it, a mirror")
    start.add_argument('--init-from', type=Path, metavar='FILE', help='begin with the '
                       'layers of a net that you trained before, on other classes perhaps: a '
                       "checkpoint, or PyTorch's weights of a torchvision ResNet, .safetensors or "
                       '.pth')
    group.add_argument('--freeze', action='store_true', help='with one of these two: train only '
                       'a new last layer, for when pictures are few; all others stay as they are, '
                       "BN's running statistics included")
    group = parser.add_argument_group('the pictures')
    group.add_argument('--resize', type=commands.number(int, 11), metavar='PIXELS', dest='size',
                       help='side of the square that the net sees (default: 64; 28 for '
                       'Fashion-MNIST)')
    group.add_argument('--grey', action='store_true', help='look at brightness only')
    group.add_argument('--augment', nargs='*', choices=batches.AUGMENTATIONS,
                       default=['crop', 'flip'], help='what to do at random to training pictures '
                       '(default: crop flip); without a word behind it: nothing. Put it behind '
                       'DATA')
    group.add_argument('--train-size', type=commands.number(int, 40), metavar='N',
                       help='Fashion-MNIST: train with N images (default: 55000)')
    group.add_argument('--cache', type=Path, metavar='FOLDER',
                       help=f'of {cache.LEAST:,} pictures and more, keep what is decoded in this '
                       "folder, in one named like DATA, with .cache (default: DATA's own folder); "
                       'delete it whenever you like')
    group = parser.add_argument_group('training')
    group.add_argument('--epochs', type=commands.number(int, 1), default=10, help='default: 10')
    group.add_argument('--batch-size', type=commands.number(int, 1), default=32,
                       help='images a step, of each worker (default: 32)')
    group.add_argument('--lr', type=commands.number(float, 0), default=0.05,
                       help='highest learning rate (default: 0.05)')
    group.add_argument('--seed', type=commands.number(int, 0), default=0,
                       help='of all that is random (default: 0)')
    group.add_argument('--devices', type=devices, metavar='gpu(0),gpu(1)',
                       help="share each batch between these, in quotes: 'gpu(0),gpu(1)' "
                       '(default: all GPUs, or the CPU)')
    group.add_argument('--kvstore', choices=('device', 'dist_sync'), default='device',
                       help='dist_sync: one of several workers (see launch_local.py)')
    options = parser.parse_args(arguments)
    if options.freeze and not (options.pretrained or options.init_from):
        parser.error('--freeze needs --pretrained or --init-from: there is nothing learned to keep')
    if options.train_size and options.data != 'fashion-mnist':
        parser.error('--train-size is for fashion-mnist; make a smaller folder of your pictures')
    if options.cache and options.data == 'fashion-mnist':
        parser.error("--cache is for a folder of pictures: Fashion-MNIST's are decoded")
    if options.pretrained and (options.grey or options.data == 'fashion-mnist'):
        parser.error("--pretrained needs colour pictures: ImageNet's are")
    if options.seed >= 2 ** 32:
        parser.error('--seed has to be below 2³²')
    options.out = options.out or Path('runs', Path(options.data).resolve().name)
    return options


def complete(options):
    """Fill in the defaults that depend on this machine, and check what needs no file's content."""
    fashion = options.data == 'fashion-mnist'
    if options.kvstore == 'dist_sync' and 'DMLC_ROLE' not in os.environ:
        raise Refused('--kvstore dist_sync is for a worker that scripts/launch_local.py starts')
    options.workers = (int(os.environ['DMLC_NUM_WORKER']) if options.kvstore == 'dist_sync' else 1)
    options.train_size = options.train_size or (55_000 if fashion else None)
    options.devices = options.devices or utils.try_all_gpus()
    for device in options.devices:
        if device.device_type == 'gpu' and utils.try_gpu(device.device_id) != device:
            raise Refused(f'{device} does not work here: no such GPU, no driver, or an MXNet '
                          'without CUDA. Leave --devices out to take what there is.')
    if not fashion and not Path(options.data, 'train').is_dir():
        raise Refused(f'{options.data} is not a folder with train/ and val/ in it. From a folder '
                      'with a sub-folder of pictures for each class, make one with: '
                      'python scripts/split_data.py PICTURES SPLIT')


@contextlib.contextmanager
def run_folder(options):
    """The folder --out for this process alone, and made if it is missing and something is kept.

    Raises Refused for what cannot be written, there or in the folder of --history, and
    BlockingIOError while another run has the folder.
    """
    new = not options.out.exists()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with files.locked(options.out):
            for left in options.out.glob('.unfinished-*'):  # by a kill -9
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            for folder in [options.out, *([options.history.parent] if options.history else [])]:
                try:
                    tempfile.TemporaryFile(dir=folder).close()
                except OSError as error:
                    raise Refused(f'{folder} cannot be written to: {error.strerror}') from None
            yield
    finally:
        if new:
            with contextlib.suppress(OSError):  # it is not empty
                options.out.rmdir()


def earlier_run(options):
    """The `about` of the run to go on with, None for a new one; nothing is ever overwritten."""
    last, best = options.out / 'last.ckpt', options.out / 'best.ckpt'
    if options.history and options.history.resolve() in (last.resolve(), best.resolve()):
        raise Refused(f'{options.history} will be a checkpoint: name another file for --history')
    if not options.resume:
        if last.exists() or best.exists():
            raise Refused(f'{options.out} has a run already: go on with it by --resume, or name '
                          'another folder by --out')
        if options.history and options.history.exists():
            raise Refused(f'{options.history} exists already: name another file')
        return None
    about = checkpoint.read(last)
    checkpoint.check_resumable(last)
    if not {'settings', 'history'} <= about.keys():
        raise Refused(f'{last} does not say with which options it was made: begin a new run with '
                      '--init-from')
    if options.history and options.history.exists():
        # Each epoch writes the whole file again, so it must hold nothing else.
        written = training.history_csv(about['history']).encode()
        if not options.history.is_file() or not written.startswith(options.history.read_bytes()):
            raise Refused(f'{options.history} is not the history of this run: name another file')
    return about


def take(options, start):
    """Fill in depth, size and grey, which are those of the net to begin with, if there is one."""
    fashion = options.data == 'fashion-mnist'
    for name, flag in (('depth', '--depth'), ('size', '--resize'), ('grey', '--grey')):
        given = getattr(options, name)
        if name in start and given not in (None, False, start[name]):
            raise Refused(f'{options.init_from} has {name} {start[name]}: leave out {flag}')
        setattr(options, name, start.get(name, given))
    if fashion and start and not start['grey']:
        raise Refused(f'{options.init_from} has seen colour, and Fashion-MNIST is grey')
    options.grey = options.grey or fashion
    options.depth = options.depth or 18
    options.size = options.size or (28 if fashion else 64)


def settings(options):
    """Those options that make the run what it is, as JSON keeps them."""
    return {name: str(value.resolve()) if isinstance(value := getattr(options, name), Path)
            else value for name in FIXED}


def check_settings(options, about):
    """Raises Refused if the run to go on with was started with other options."""
    for name, now in settings(options).items():
        before = about['settings'].get(name)
        if name == 'init_from' and isinstance(before, str):
            before = str(Path(before).resolve())
        if before != now:
            raise Refused(f'{options.out / "last.ckpt"} was made with {name} = {before}, not '
                          f'{now}; a run is resumed with the options that it was started with')


def check_pictures(options, about, classes, digest):
    """Raises Refused if the run to go on with had other pictures; says so if nobody knows."""
    last = options.out / 'last.ckpt'
    # An é may be one character or two.
    if [pictures.order(name)[0] for name in about['classes']] != [
            pictures.order(name)[0] for name in classes]:
        raise Refused(f'{options.data} now has other classes than {last} was made with')
    if about.get('digest', digest) != digest:
        raise Refused(f'{options.data} now has other pictures than {last} was made with: put '
                      'back those, or begin a new run with --init-from')
    if 'digest' not in about:
        print(f'{last} is of an earlier version: whether the pictures are still the same is not '
              'known', file=sys.stderr)


def new_run(options, start, normalise, classes):
    """The net to begin with, and the `about` of its checkpoints.

    start: the `about` of --init-from, or {}. normalise: mean and std of the training pictures.
    """
    known = None
    if options.pretrained or start:
        path = torch_files.fetch(options.depth) if options.pretrained else options.init_from
        known, normalise = checkpoint.load(path, mx.cpu())
    about = {'classes': classes, 'depth': options.depth, 'size': options.size,
             'grey': options.grey, 'mean': normalise['mean'], 'std': normalise['std'],
             'stride_on_first': start.get('stride_on_first', False),
             'settings': settings(options), 'history': []}
    return nets.first_net(about, known, options.devices), about


@functools.cache  # so that it lives as long as Python: before its end it waits for the others
def dist_store():
    """The servers' store for all workers, as soon as all of them are there."""
    return mx.kv.create('dist_sync')


def train(options):
    """What the command line asks for, on this worker; returns the history."""
    complete(options)
    store, rank = 'device', 0
    if options.kvstore == 'dist_sync':
        store = dist_store()
        rank = store.rank
    with run_folder(options) if rank == 0 else contextlib.nullcontext():
        if options.kvstore == 'dist_sync':
            store._barrier()  # no other worker begins unless worker 0 may write
        return train_here(options, store, rank)


def train_here(options, store, rank):
    """Train in a folder that is ours, as one of the workers; returns the history."""
    about, start = earlier_run(options), {}
    if options.init_from:  # which may be gone by the time that a run is resumed
        start = about or checkpoint.read(options.init_from)
    take(options, start)
    if about:
        check_settings(options, about)
    if options.data == 'fashion-mnist':
        train_set, val_set, classes = batches.load_fashion_mnist(options.size, options.train_size)
    else:
        split = Path(options.data)
        train_set, val_set, classes = batches.load_split(
            split, options.size, options.grey, cache.place(split, options.cache), rank,
            options.workers)
    facts = batches.facts(train_set, val_set)

    utils.seed_everything(options.seed)
    if about is None:
        net, about = new_run(options, start, facts, classes)
    else:
        check_pictures(options, about, classes, facts['digest'])
        net, about = checkpoint.load(options.out / 'last.ckpt', options.devices)
    before, about['devices'] = about.get('devices'), list(map(str, options.devices))
    about['digest'] = facts['digest']
    data = batches.loaders(train_set, val_set, about, options.batch_size, options.augment, rank,
                           options.workers)
    if rank == 0:
        print(f'{len(train_set[0]):,} training and {len(val_set[0]):,} validation images, '
              f'{len(classes)} classes, ResNet-{options.depth} at {options.size} px')
        if (steps := options.epochs * len(data[0])) < 200 and not options.freeze:
            print(f"{steps} steps are few: BN's running statistics, with which validation is "
                  'done, need some 200 to settle. Give more --epochs.')
        if before not in (None, about['devices']):
            print(f'The run was on {before}, and goes on, not to the bit, on {about["devices"]}.')
    with contextlib.redirect_stdout(sys.stdout if rank == 0 else None):
        history = training.fit(net, data, about, options.out, options.devices, options.epochs,
                               options.lr, options.seed, options.freeze, options.resume,
                               options.history, store, rank, options.workers)
    if rank == 0:
        best = max(history, key=lambda row: row['test_acc'])
        print(f'Best validation accuracy {best["test_acc"]:.3f}, after epoch {best["epoch"]}: '
              f'{options.out / "best.ckpt"}')
    return history


def main(arguments):
    """Returns the exit status: 0, 1 for a problem that is named on stderr, 130 for Ctrl-C."""
    options = parse(arguments)
    try:
        train(options)
    except KeyboardInterrupt:
        kept = (f'What was finished is in {options.out}; go on with --resume.'
                if (options.out / 'last.ckpt').exists() else 'No epoch was finished.')
        print(f'\nInterrupted. {kept}', file=sys.stderr)
        return 130
    except BrokenPipeError:  # nobody reads on, see commands.run
        raise
    except (Refused, ValueError, FloatingPointError, OSError) as error:
        print(f'train.py: {error}', file=sys.stderr)
        return 1
    except (MemoryError, mx.MXNetError) as error:
        reason = (str(error).strip() or 'out of memory').splitlines()[-1]
        print(f'train.py: {reason}. Smaller pictures (--resize) or a smaller --batch-size take '
              'less memory.', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    try:
        status = commands.run(main)
    except Exception:
        traceback.print_exc()
        status = 1
    if status and 'DMLC_ROLE' in os.environ:  # at a normal exit MXNet would wait for the others
        os._exit(status)
    sys.exit(status)
