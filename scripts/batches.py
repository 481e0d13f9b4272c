"""Batches for a net: from pictures in memory to DataLoaders, shared out among several workers."""
import contextlib
import hashlib
import math
import random
import sys
from pathlib import Path

import utils  # before mxnet, for its threads

import numpy as np
import psutil
from mxnet import gluon, nd
from mxnet.gluon.data.vision import transforms
from PIL import Image

import cache
import pictures


def flip(picture):
    """The picture (h, w, c) or, in half of the cases, its mirror image.

    MXNet's own RandomFlipLeftRight leaves the middle column of odd widths uninitialised
    (apache/mxnet#18911).
    """
    return nd.flip(picture, axis=1) if random.random() < 0.5 else picture


# What may be done to a training picture at random; `size` is its side in pixels.
AUGMENTATIONS = {
    'crop': lambda size: transforms.RandomResizedCrop(size, scale=(0.6, 1.)),
    'flip': lambda size: flip,
    'light': lambda size: transforms.RandomColorJitter(brightness=0.3, contrast=0.3),
}


def load_fashion_mnist(size, train_size=55_000):
    """Fashion-MNIST's training images in two parts, as pictures.load_folder gives a folder.

    size: side in pixels. train_size: how many to train with; up to 5,000 others, a quarter of that
    number, are for validation. Both are balanced over the classes. The test images stay untouched.
    Raises ValueError for images that do not fit into the memory.
    """
    val_size = min(5000, train_size // 4)
    check_memory(train_size + val_size, size, channels=1)
    images, labels = utils.read_fashion_mnist('train', train_size + val_size)
    if size != 28:
        images = np.stack([Image.fromarray(image).resize((size, size)) for image in images])
    images = images[..., None]
    return ((images[:train_size], labels[:train_size]), (images[train_size:], labels[train_size:]),
            list(utils.FASHION_MNIST_CLASSES))


def load_split(folder, size, grey, where=None, rank=0, workers=1):
    """The pictures of folder/train and folder/val, each (images, labels), and the classes' names.

    folder: a Path. size, grey, images and labels: see pictures.load_folder, as for the errors
    raised. where: a folder for decoded pictures, a Path. With it, cache.LEAST pictures and more are
    decoded once, and not kept in memory (see cache.Pictures), and the workers share the decoding.
    Pictures that cannot be read are listed on stderr and left out.
    Raises ValueError, before any is decoded, for pictures that do not fit into the memory, or onto
    the disk of `where`.
    """
    train_files, classes = pictures.find_labelled(folder / 'train')
    val_files, _ = pictures.find_labelled(folder / 'val', classes)
    count = len(train_files) + len(val_files)
    if where and count >= cache.LEAST:
        (*train_set, bad), (*val_set, bad_too) = cache.load(folder, (train_files, val_files), where,
                                                            size, grey, rank, workers)
        pictures.check_not_empty(folder / 'train', classes, train_set[1], bad)
        pictures.check_not_empty(folder / 'val', [], val_set[1], bad_too)
    else:
        check_memory(count, size, channels=1 if grey else 3)
        *train_set, _, bad = pictures.load_folder(folder / 'train', size, grey)
        *val_set, _, bad_too = pictures.load_folder(folder / 'val', size, grey, classes)
    for path, reason in bad + bad_too:
        print(f'left out: {path}: {reason}', file=sys.stderr)
    return train_set, val_set, classes


def facts(train_set, val_set):
    """What is said of all pictures: their digest, and of those to train on mean and std.

    Of pictures in a cache they are computed once: that takes a look at each.
    """
    def compute(train_set, val_set):
        return {'digest': digest(*train_set, *val_set), **mean_and_std(train_set[0])}

    if isinstance(train_set[0], cache.Pictures):
        return cache.remember(compute, train_set, val_set)
    return compute(train_set, val_set)


def free_bytes():
    """How many bytes this process may still take, in a container too."""
    limits = [psutil.virtual_memory().available]
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        limits.append(int(Path('/sys/fs/cgroup/memory.max').read_text()))
    return min(limits)


def check_memory(count, size, channels):
    """Raises ValueError if so many pictures, a byte a pixel and channel, would take too much.

    A fifth of what is free is left for the training.
    """
    needed, free = count * size ** 2 * channels, free_bytes() * 4 // 5
    if needed > free:
        raise ValueError(f'{count:,} pictures of {size} px take {needed / 1e9:,.1f} GB of memory, '
                         f'and {free / 1e9:.1f} GB are free for them: enough for '
                         f'{math.isqrt(free // (count * channels))} px (--resize), or for '
                         f'{free // (size ** 2 * channels):,} pictures')


def digest(*arrays):
    """A text that is the same for the same numbers, types and shapes only (SHA-256)."""
    seen = hashlib.sha256()
    for array in arrays:
        seen.update(f'{array.dtype} {array.shape} '.encode())
        for part in array:  # one by one, for they need not be in memory
            seen.update(np.ascontiguousarray(part))
    return seen.hexdigest()


def mean_and_std(images):
    """Mean and standard deviation of each channel of uint8 images (n, h, w, c), on a scale 0 to 1.

    Returns {'mean': c numbers, 'std': c numbers}. Takes next to no memory.
    """
    values, means, stds = np.arange(256) / 255, [], []
    # How often each value is there; image by image, since bincount makes 8 bytes of each.
    counts = np.zeros((images.shape[-1], 256), dtype=int)
    for image in images:
        for channel, own in enumerate(counts):
            own += np.bincount(image[..., channel].ravel(), minlength=256)
    for own in counts:
        means.append(np.average(values, weights=own))
        variance = np.average((values - means[-1]) ** 2, weights=own)
        stds.append(max(variance ** 0.5, 1e-3))  # of one colour: not zero
    return {'mean': [float(mean) for mean in means], 'std': [float(std) for std in stds]}


def to_input(about):
    """What turns a uint8 picture (size, size, c) into the net's input, float32 (c, size, size).

    about: a dictionary with mean and std, as mean_and_std gives them.
    """
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
    augment: names of AUGMENTATIONS, applied in this order. rank, workers: of each batch of training
    worker `rank` has its share (see Shard), and of the validation images the next n / workers.
    """
    # In NumPy, since an array of MXNet's has at most 2³¹ numbers: 14,266 pictures of 224 px.
    train, val = (gluon.data.ArrayDataset(*part) for part in (train_set, val_set))
    prepare = to_input(about)
    chain = [AUGMENTATIONS[name](about['size']) for name in augment]

    def augmented(image):
        image = nd.array(image, dtype='uint8')
        for change in chain:
            image = change(image)
        return prepare(image)

    train = train.transform_first(augmented)
    val = val.transform_first(lambda image: prepare(nd.array(image, dtype='uint8')))
    sampler = Shard(len(train), batch_size, rank, workers)
    return (gluon.data.DataLoader(train, batch_sampler=sampler),
            gluon.data.DataLoader(val.shard(workers, rank), batch_size))
