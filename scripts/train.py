"""Train a ResNet on a folder of pictures, or on Fashion-MNIST.

    python scripts/split_data.py PICTURES SPLIT
    python scripts/train.py SPLIT
    python scripts/predict.py runs/SPLIT/best.ckpt PICTURE

Notebook 09 walks through the same functions, notebook 11 explains --devices and --kvstore.
"""
import argparse
import contextlib
import csv
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # before mxnet, for its threads

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, init, nd
from mxnet.gluon.data.vision import transforms
from mxnet.gluon.model_zoo import vision
from mxnet.lr_scheduler import CosineScheduler
from PIL import Image

import checkpoint
import pictures

# What may be done to a training picture at random; `size` is its side in pixels.
AUGMENTATIONS = {
    'crop': lambda size: transforms.RandomResizedCrop(size, scale=(0.6, 1.)),
    'flip': lambda size: transforms.RandomFlipLeftRight(),
    'light': lambda size: transforms.RandomColorJitter(brightness=0.3, contrast=0.3),
}
IMAGENET = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}

# The settings that a resumed run must share with the one that it goes on with.
FIXED = ('data', 'depth', 'size', 'grey', 'epochs', 'batch_size', 'lr', 'augment', 'seed',
         'train_size', 'pretrained', 'init_from', 'freeze', 'workers')


class Refused(Exception):
    """Something that the user has to change; the message says what."""


# ---------------------------------------------------------------------------------------------
# Data


def load_fashion_mnist(size, train_size=55_000):
    """Fashion-MNIST's training images in two parts, as pictures.load_folder gives a folder.

    size: side in pixels. train_size: how many to train with; up to 5,000 others, a quarter of that
    number, are for validation. Both are balanced over the classes. The test images stay untouched.
    """
    val_size = min(5000, train_size // 4)
    images, labels = utils.read_fashion_mnist('train', train_size + val_size)
    if size != 28:
        images = np.stack([Image.fromarray(image).resize((size, size)) for image in images])
    images = images[..., None]
    return ((images[:train_size], labels[:train_size]), (images[train_size:], labels[train_size:]),
            list(utils.FASHION_MNIST_CLASSES))


def load_split(folder, size, grey):
    """The pictures of folder/train and folder/val, each (images, labels), and the classes' names.

    Pictures that cannot be read are listed and left out.
    """
    *train_set, classes, bad = pictures.load_folder(folder / 'train', size, grey)
    *val_set, _, bad_too = pictures.load_folder(folder / 'val', size, grey, classes)
    for path, reason in bad + bad_too:
        print(f'left out: {path}: {reason}', file=sys.stderr)
    return train_set, val_set, classes


def mean_and_std(images):
    """The mean and standard deviation of each channel of uint8 images, on the scale 0 to 1."""
    values = images.reshape(-1, images.shape[-1])
    std = np.maximum(values.std(axis=0, dtype='float64') / 255, 1e-3)  # of one colour: not zero
    return {'mean': (values.mean(axis=0, dtype='float64') / 255).tolist(), 'std': std.tolist()}


def to_input(about):
    """What turns a uint8 picture (size, size, c) into the net's input, float32 (c, size, size)."""
    return transforms.Compose([transforms.ToTensor(),
                               transforms.Normalize(about['mean'], about['std'])])


class Shard(gluon.data.Sampler):
    """The batches of one of several workers: its equal share of every batch of all of them.

    In each epoch NumPy's generator, which all workers seed alike, shuffles the indices. A batch of
    all workers is the next up to workers * batch_size of them, of which worker `rank` takes its
    part. Batches are made equal to one image, since BN does badly on a last batch of a few.
    Where the number of workers does not divide that of images, the first few serve twice.
    """

    def __init__(self, length, batch_size, rank=0, workers=1):
        self.length, self.rank, self.workers = length, rank, workers
        share = -(-length // workers)
        self.sizes = [len(part) for part in np.array_split(range(share), -(-share // batch_size))]

    def __iter__(self):
        order = np.resize(np.random.permutation(self.length), self.workers * sum(self.sizes))
        start = 0
        for size in self.sizes:
            own = start + self.rank * size
            yield order[own:own + size].tolist()
            start += self.workers * size

    def __len__(self):
        return len(self.sizes)


def loaders(train_set, val_set, about, batch_size, augment=(), rank=0, workers=1):
    """Two DataLoaders of ((b, c, size, size) float32, (b,) int32); only the first augments.

    train_set, val_set: uint8 images (n, size, size, c) and labels (n,). about: size, mean, std.
    augment: names of AUGMENTATIONS, applied in this order.
    """
    train, val = (gluon.data.ArrayDataset(nd.array(images, dtype='uint8'), labels)
                  for images, labels in (train_set, val_set))
    chain = [AUGMENTATIONS[name](about['size']) for name in augment]
    train = train.transform_first(transforms.Compose([*chain, to_input(about)]))
    val = val.transform_first(to_input(about))
    sampler = Shard(len(train), batch_size, rank, workers)
    return (gluon.data.DataLoader(train, batch_sampler=sampler),
            gluon.data.DataLoader(val, batch_size))


# ---------------------------------------------------------------------------------------------
# The net


class FrozenFeatures(gluon.Block):
    """`net` with features as at prediction time, BN's running statistics included.

    Only the last layer learns. Maps (b, c, h, w) to (b, classes), as `net` does.
    """

    def __init__(self, net):
        super().__init__()
        self.features, self.output = net[:-1], net[-1]
        self.features.collect_params().setattr('grad_req', 'null')

    def forward(self, x):
        with autograd.pause(train_mode=False):
            features = self.features(x)
        return self.output(features)


def first_net(about, start, ctx):
    """A net to begin with: He's initialisation, and what `start` (another net) knows.

    All of `start` is copied but its last layer, whose outputs are other classes.
    """
    net = checkpoint.new_net(about)
    channels = 1 if about['grey'] else 3
    # Not by a forward pass: oneDNN would give the weights a layout that dist_sync cannot send.
    net.infer_shape(nd.zeros((1, channels, about['size'], about['size'])))
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0), ctx=ctx)
    if start is not None:
        for mine, theirs in zip(net[:-1].collect_params().values(),
                                start[:-1].collect_params().values(), strict=True):
            mine.set_data(theirs.data(theirs.list_ctx()[0]))
    return net


def pretrained_net(depth, seconds=600):
    """Gluon's resnet{depth}_v1 with its ImageNet weights, as one of our nets (notebook 05).

    Its stride is on the first 1 x 1 convolution. Gluon's biases in front of BN, which ours lack,
    are subtracted from BN's running means: at prediction time the outputs are the same.

    Raises Refused if the weights are not in ~/.mxnet/models and do not come within `seconds`.
    """
    name = f'resnet{depth}_v1'
    fetch = f'from mxnet.gluon.model_zoo import vision; vision.{name}(pretrained=True)'
    try:
        # In a process of its own, since the download waits for ever for a host that is silent.
        subprocess.run([sys.executable, '-c', fetch], timeout=seconds, check=True,
                       capture_output=True, text=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        reason = ([f'nothing came within {seconds} seconds']
                  if isinstance(error, subprocess.TimeoutExpired)
                  else error.stderr.strip().splitlines() or ['no reason given'])[-1]
        raise Refused(
            f"Gluon's weights for {name} could not be fetched ({reason}). "
            'Put the file from a machine that has it into ~/.mxnet/models, or start from a '
            'checkpoint of your own: --init-from CHECKPOINT.') from None
    zoo = vision.get_model(name, pretrained=True)
    net = checkpoint.new_net({'depth': depth, 'classes': range(1000),
                              'stride_on_first': depth >= 50})
    net.initialize()
    net(nd.zeros((1, 3, 64, 64)))
    mine, bias = iter(net.collect_params().values()), 0
    for their in zoo.collect_params().values():
        if 'conv' in their.name and their.name.endswith('bias'):
            bias = their.data()
        elif their.name.endswith('running_mean'):
            next(mine).set_data(their.data() - bias)
            bias = 0
        else:
            next(mine).set_data(their.data())
    return net


# ---------------------------------------------------------------------------------------------
# Training


def seed_epoch(seed, epoch, rank=0):
    """Seed all generators for one epoch, so that a resumed run needs no more than its number.

    NumPy's, which shuffles, is the same on all workers; the augmentation of each is its own.
    """
    own, common = (int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)
                   for numbers in ((seed, epoch, rank), (seed, epoch)))
    utils.seed_everything(own)
    np.random.seed(common)


def new_trainer(net, lr, steps_per_epoch, epochs, kvstore='device', workers=1):
    """SGD with momentum 0.9, weight decay 1e-4 and a cosine schedule behind an epoch of warm-up.

    Each worker's gradient is a mean over its own images; the sum over workers is divided by their
    number. The servers only add: each worker then takes the same step by itself, which begins with
    the parameters of worker 0.
    """
    warm_up = min(steps_per_epoch, epochs * steps_per_epoch // 2)  # half of a single epoch
    schedule = CosineScheduler(epochs * steps_per_epoch, lr, warmup_steps=warm_up)
    # A list, since Trainer sorts a dictionary by names, in which layer 10 comes before layer 9: the
    # numbers, and so the order in which a resumed run finds its momentum, differ between processes.
    return gluon.Trainer(list(net.collect_params().values()), 'sgd',
                         {'lr_scheduler': schedule, 'momentum': 0.9, 'wd': 1e-4,
                          'rescale_grad': 1 / workers},
                         kvstore=kvstore, update_on_kvstore=False)


def write_history(path, history):
    """The rows of a history as a CSV file, whole or not at all."""
    unfinished = path.with_name(f'.{path.name}.tmp')
    rows = [{'val_acc' if key == 'test_acc' else key: value for key, value in row.items()}
            for row in history]
    with open(unfinished, 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    os.replace(unfinished, path)


def fit(net, data, about, run, ctx, epochs, lr=0.05, seed=0, freeze=False, resume=False,
        csv_file=None, kvstore='device', rank=0, workers=1):
    """Train `net`, and keep run/last.ckpt and, of the epoch with the best accuracy, run/best.ckpt.

    data: the two DataLoaders, of training and validation. about: what the checkpoints say (see
    checkpoint.save), with a history of no rows, or of those of the run to go on with. run: a
    folder. ctx: a list of devices. epochs: all of them. lr: the highest learning rate. freeze:
    train only the last layer. resume: take the optimizer's state from run/last.ckpt. csv_file: for
    loss and accuracy of each epoch, None for no file. kvstore, rank, workers: see notebook 11; only
    worker 0 writes.

    Returns the history of utils.train, whose test_acc is the validation accuracy.
    """
    net.hybridize(static_alloc=True, static_shape=True)
    learner = FrozenFeatures(net) if freeze else net
    trainer = new_trainer(learner, lr, len(data[0]), epochs, kvstore, workers)
    if resume:
        checkpoint.load_trainer(run / 'last.ckpt', trainer)
    else:
        trainer.save_states(os.devnull)
    # Either call has asked for worker 0's parameters. Without waiting for them, MXNet may mistake
    # the gradients of the first step for them.
    nd.waitall()

    def after_epoch(history):
        if rank == 0:
            about['history'] = history
            accuracies = [row['test_acc'] for row in history]
            if accuracies[-1] > max(accuracies[:-1], default=-1):
                checkpoint.save(run / 'best.ckpt', net, about)
            checkpoint.save(run / 'last.ckpt', net, about, trainer)
            if csv_file:
                write_history(csv_file, history)
        seed_epoch(seed, len(history), rank)

    seed_epoch(seed, len(about['history']), rank)
    history = utils.train(*data, learner, gluon.loss.SoftmaxCrossEntropyLoss(), trainer,
                          ctx if len(ctx) > 1 else ctx[0], epochs, history=about['history'],
                          after_epoch=after_epoch)
    nd.waitall()  # what is still queued when Python ends would be missing to the other workers
    return history


# ---------------------------------------------------------------------------------------------
# The command line


def devices(text):
    """'cpu(0),gpu(1)' as a list of MXNet's devices."""
    found = re.findall(r'(cpu|gpu)\((\d+)\)', text)
    if ','.join(f'{kind}({number})' for kind, number in found) != text:
        raise argparse.ArgumentTypeError(f"write devices like gpu(0),gpu(1), not '{text}'")
    return [mx.Context(kind, int(number)) for kind, number in found]


def number(kind, least):
    """A parser of numbers that are at least (if float: above) `least`."""
    def parse(text):
        value = kind(text)
        if value < least or (kind is float and not least < value < float('inf')):
            bound = 'at least' if kind is int else 'a number above'
            raise argparse.ArgumentTypeError(f'it has to be {bound} {least}')
        return value
    parse.__name__ = kind.__name__  # argparse names it when the text is no number
    return parse


def parse(arguments):
    """The command line's options."""
    parser = argparse.ArgumentParser(
        description='Train a ResNet on a folder of pictures, or on Fashion-MNIST.',
        epilog='The learning rate rises from 0 during the first epoch, then falls along a cosine. '
               'Interrupt with Ctrl-C whenever you like, and go on later with --resume.')
    parser.add_argument('data', metavar='DATA', help='a folder that split_data.py made, with '
                        'train/ and val/ in it, or the word fashion-mnist')
    parser.add_argument('--out', type=Path, help='folder for best.ckpt and last.ckpt, the best '
                        "and the last epoch's net (default: runs/ and the name of the data)")
    parser.add_argument('--resume', action='store_true', help='go on with the run in --out; give '
                        'the other options as before')
    parser.add_argument('--history', type=Path, metavar='FILE.csv',
                        help='also write loss and accuracy of each epoch to this file')
    group = parser.add_argument_group('the net')
    group.add_argument('--depth', type=int, choices=checkpoint.DEPTHS,
                       help='number of layers (default: 18)')
    start = group.add_mutually_exclusive_group()
    start.add_argument('--pretrained', action='store_true', help="begin with Gluon's ImageNet "
                       'weights; they are downloaded once, if their host still answers')
    start.add_argument('--init-from', type=Path, metavar='CHECKPOINT', help='begin with the '
                       'layers of a net that you trained before, on other classes perhaps')
    group.add_argument('--freeze', action='store_true', help='with one of these two: train only '
                       'a new last layer, for when pictures are few')
    group = parser.add_argument_group('the pictures')
    group.add_argument('--resize', type=number(int, 11), metavar='PIXELS', dest='size',
                       help='side of the square that the net sees (default: 64; 28 for '
                       'Fashion-MNIST)')
    group.add_argument('--grey', action='store_true', help='look at brightness only')
    group.add_argument('--augment', nargs='*', choices=AUGMENTATIONS, default=['crop', 'flip'],
                       help='what to do at random to training pictures (default: crop flip); '
                       'without a word behind it: nothing. Put it behind DATA')
    group.add_argument('--train-size', type=number(int, 40), metavar='N',
                       help='Fashion-MNIST: train with N images (default: 55000)')
    group = parser.add_argument_group('training')
    group.add_argument('--epochs', type=number(int, 1), default=10, help='default: 10')
    group.add_argument('--batch-size', type=number(int, 1), default=32,
                       help='images a step, of each worker (default: 32)')
    group.add_argument('--lr', type=number(float, 0), default=0.05,
                       help='highest learning rate (default: 0.05)')
    group.add_argument('--seed', type=number(int, 0), default=0, help='of all that is random '
                       '(default: 0)')
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
    if options.pretrained and (options.grey or options.data == 'fashion-mnist'):
        parser.error("--pretrained needs colour pictures: ImageNet's are")
    return options


def complete(options):
    """Fill in the defaults that depend on other options, and check what can be checked early.

    Returns the `about` of the checkpoint to begin with, if there is one.
    """
    fashion = options.data == 'fashion-mnist'
    if options.kvstore == 'dist_sync' and 'DMLC_ROLE' not in os.environ:
        raise Refused('--kvstore dist_sync is for a worker that scripts/launch_local.py starts')
    options.workers = (int(os.environ['DMLC_NUM_WORKER']) if options.kvstore == 'dist_sync' else 1)
    options.out = options.out or Path('runs', Path(options.data).resolve().name)
    options.train_size = options.train_size or (55_000 if fashion else None)
    options.devices = options.devices or utils.try_all_gpus()
    for device in options.devices:
        if device.device_type == 'gpu' and utils.try_gpu(device.device_id) != device:
            raise Refused(f'{device} does not work here: no such GPU, no driver, or an MXNet '
                          'without CUDA. Leave --devices out to take what there is.')
    start = checkpoint.read(options.init_from) if options.init_from else {}
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
    if options.data != 'fashion-mnist' and not Path(options.data, 'train').is_dir():
        raise Refused(f'{options.data} is not a folder with train/ and val/ in it. From a folder '
                      'with a sub-folder of pictures for each class, make one with: '
                      'python scripts/split_data.py PICTURES SPLIT')
    return start


def settings(options):
    """Those options that make the run what it is, as JSON keeps them."""
    return {name: str(value) if isinstance(value := getattr(options, name), Path) else value
            for name in FIXED}


def earlier_run(options):
    """The `about` of the run to go on with, None for a new one; nothing is ever overwritten."""
    last = options.out / 'last.ckpt'
    if not options.resume:
        if last.exists() or (options.out / 'best.ckpt').exists():
            raise Refused(f'{options.out} has a run already: go on with it by --resume, or name '
                          'another folder by --out')
        if options.history and options.history.exists():
            raise Refused(f'{options.history} exists already: name another file')
        return None
    about = checkpoint.read(last)
    for name, before in about['settings'].items():
        if (now := settings(options)[name]) != before:
            raise Refused(f'{last} was made with {name} = {before}, not {now}; a run is resumed '
                          'with the options that it was started with')
    return about


def new_run(options, start, images, classes):
    """The net to begin with, and the `about` of its checkpoints.

    start: the `about` of --init-from, or {}. images: those of training, for their mean and std.
    """
    known, normalise = None, mean_and_std(images)
    if options.pretrained:
        known, normalise = pretrained_net(options.depth), IMAGENET
    elif start:
        known, normalise = checkpoint.load(options.init_from, mx.cpu())
    about = {'classes': classes, 'depth': options.depth, 'size': options.size,
             'grey': options.grey, 'mean': normalise['mean'], 'std': normalise['std'],
             'stride_on_first': start.get('stride_on_first', False) or (
                 options.pretrained and options.depth >= 50),
             'settings': settings(options), 'history': []}
    return first_net(about, known, options.devices), about


def train(options):
    """What the command line asks for, on this worker; returns the history."""
    start = complete(options)
    about = earlier_run(options)
    store, rank = 'device', 0
    if options.kvstore == 'dist_sync':
        store = mx.kv.create('dist_sync')  # waits until all workers are there
        rank = store.rank
    if options.data == 'fashion-mnist':
        train_set, val_set, classes = load_fashion_mnist(options.size, options.train_size)
    else:
        train_set, val_set, classes = load_split(Path(options.data), options.size, options.grey)

    utils.seed_everything(options.seed)
    if about is None:
        net, about = new_run(options, start, train_set[0], classes)
    elif about['classes'] != classes:
        raise Refused(f'{options.data} now has other classes than {options.out} was made with')
    else:
        net, about = checkpoint.load(options.out / 'last.ckpt', options.devices)
    options.out.mkdir(parents=True, exist_ok=True)
    data = loaders(train_set, val_set, about, options.batch_size, options.augment, rank,
                   options.workers)
    if rank == 0:
        print(f'{len(train_set[0]):,} training and {len(val_set[0]):,} validation images, '
              f'{len(classes)} classes, ResNet-{options.depth} at {options.size} px')
        if (steps := options.epochs * len(data[0])) < 200 and not options.freeze:
            print(f"{steps} steps are few: BN's running statistics, with which validation is "
                  'done, need some 200 to settle. Give more --epochs.')
    with contextlib.redirect_stdout(sys.stdout if rank == 0 else None):
        history = fit(net, data, about, options.out, options.devices, options.epochs, options.lr,
                      options.seed, options.freeze, options.resume, options.history, store, rank,
                      options.workers)
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
        print(f'\nInterrupted. What was finished is in {options.out}; go on with --resume.',
              file=sys.stderr)
        return 130
    except (Refused, ValueError, FloatingPointError, OSError) as error:
        print(f'train.py: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    try:
        status = main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        status = 1
    if status and 'DMLC_ROLE' in os.environ:  # at a normal exit MXNet would wait for the others
        os._exit(status)
    sys.exit(status)
