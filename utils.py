"""The training toolbox that every notebook imports: devices, data, training, counting, plots.

Import it before ``mxnet``: MXNet reads ``OMP_NUM_THREADS`` once, when it loads, and left alone
it uses only half of the cores.
"""
import contextlib
import ctypes
import gc
import gzip
import hashlib
import json
import os
import random
import sys
import time
import warnings
from pathlib import Path

if 'OMP_NUM_THREADS' not in os.environ:
    from loky import cpu_count  # respects affinity and container quotas, unlike os.cpu_count

    if 'mxnet' in sys.modules:
        warnings.warn('mxnet was imported before utils, so it runs on its default number of '
                      'threads, which is about half as fast. Restart the kernel and import '
                      'utils first.', stacklevel=2)
    else:
        os.environ['OMP_NUM_THREADS'] = str(cpu_count(only_physical_cores=True))

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, init, nd
from mxnet.lr_scheduler import CosineScheduler

# ---------------------------------------------------------------------------------------------
# Devices and seeds


def try_gpu(i=0):
    """The GPU number `i` if something can be allocated on it, else the CPU. Never raises."""
    if not mx.runtime.Features().is_enabled('CUDA'):  # asking it for a GPU would print a warning
        return mx.cpu()
    try:
        nd.zeros((1,), ctx=mx.gpu(i)).wait_to_read()
        return mx.gpu(i)
    except mx.MXNetError:  # no such GPU, or no driver
        return mx.cpu()


def try_all_gpus():
    """A list of all GPUs that work; where there is none, a list of the CPU. Never raises."""
    devices = []
    while (device := try_gpu(len(devices))) != mx.cpu():
        devices.append(device)
    return devices or [mx.cpu()]


def seed_everything(seed):
    """Seed Python's, NumPy's and MXNet's generators with one integer.

    On one machine, with one number of threads, losses then repeat bit for bit; elsewhere they
    agree only roughly, because sums are taken in another order.
    """
    random.seed(seed)
    np.random.seed(seed)
    mx.random.seed(seed)


def free_memory():
    """Give back the memory of nets that are no longer used; call it before making the next one.

    A Gluon net refers to itself, so it waits for Python's garbage collector; and Linux keeps the
    freed pieces for later unless it is asked for them.
    """
    nd.waitall()
    gc.collect()
    if sys.platform == 'linux':
        ctypes.CDLL(None).malloc_trim(0)


# ---------------------------------------------------------------------------------------------
# Data

FASHION_MNIST_CLASSES = ('t-shirt', 'trouser', 'pullover', 'dress', 'coat',
                         'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot')

# Name, header bytes and MD5 of each file, as Zalando published them.
FASHION_MNIST_FILES = {
    'train images': ('train-images-idx3-ubyte.gz', 16, '8d4fb7e6c68d591d4c3dfef9ec88bf0d'),
    'train labels': ('train-labels-idx1-ubyte.gz', 8, '25c81989df183df01b3e8a0aad5dffbe'),
    'test images': ('t10k-images-idx3-ubyte.gz', 16, 'bef4ecab320f06d8554ea6380940ec79'),
    'test labels': ('t10k-labels-idx1-ubyte.gz', 8, 'bb300cfdad3c16e7a12a480ee83cd310'),
}


def _read_idx(root, part):
    """The numbers of one IDX file behind its header, a flat uint8 array; see the data's README."""
    name, header, md5 = FASHION_MNIST_FILES[part]
    path = Path(root) / name
    remedy = (f'Its MD5 should be {md5}. Restore it with `git checkout -- data/fashion-mnist`, or '
              f'copy the original from https://github.com/zalandoresearch/fashion-mnist to '
              f'{path}.')
    if not path.is_file():
        raise FileNotFoundError(f'Fashion-MNIST: {path} is missing. {remedy}')
    packed = path.read_bytes()
    found = hashlib.md5(packed).hexdigest()
    if found != md5:
        raise ValueError(f'Fashion-MNIST: {path} is damaged: {len(packed):,} bytes with MD5 '
                         f'{found}. {remedy}')
    return np.frombuffer(gzip.decompress(packed), dtype=np.uint8, offset=header)


def _balanced_subset(labels, size):
    """`size` indices, the same at every call, with class counts that differ by one at most."""
    if not 1 <= size <= len(labels):
        raise ValueError(f'a subset has 1 to {len(labels):,} images, not {size}')
    shuffled = np.random.RandomState(0).permutation(len(labels))
    by_class = [shuffled[labels[shuffled] == c] for c in np.unique(labels)]
    turns = np.concatenate([np.arange(len(indices)) for indices in by_class])
    # The first of every class, then the second of every class, and so on.
    return np.concatenate(by_class)[np.argsort(turns, kind='stable')][:size]


def read_fashion_mnist(part, size=None, root=None):
    """The images (size, 28, 28), uint8, and labels (size,), int32 from 0 to 9, of one part.

    part: 'train' (60,000) or 'test' (10,000). size: None for all, in the original order; a subset
    is the same at every call and balanced over the classes, and so is each of its beginnings.
    root: the folder of the four original files, None for `data/fashion-mnist`.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one or a bad size.
    """
    root = root or Path(__file__).resolve().parent / 'data' / 'fashion-mnist'
    labels = _read_idx(root, f'{part} labels').astype('int32')
    images = _read_idx(root, f'{part} images').reshape(-1, 28, 28)
    if size is None:
        return images, labels
    subset = _balanced_subset(labels, size)
    return images[subset], labels[subset]


def as_input(images, resize=None):
    """Images (batch, 28, 28), uint8, as a net takes them: (batch, 1, side, side) in [0, 1].

    resize: the side in pixels, bilinearly; None for the original 28.
    """
    data = nd.array(images[:, None] / np.float32(255))
    if resize in (None, 28):
        return data
    return nd.contrib.BilinearResize2D(data, height=resize, width=resize, align_corners=False)


def load_data_fashion_mnist(batch_size, resize=None, train_size=None, test_size=None, root=None):
    """Fashion-MNIST as two Gluon DataLoaders, for training (shuffled) and for testing.

    Each batch is `(data, label)`: data of shape (batch_size, 1, resize, resize), float32 in
    [0, 1]; label of shape (batch_size,), int32 from 0 to 9 (see FASHION_MNIST_CLASSES). The last
    batch of an epoch may be smaller.

    resize: side in pixels, None for the original 28. Images stay 28 x 28 bytes in memory and
        are resized a batch at a time, bilinearly (14 is the exact mean of each 2 x 2 square).
    train_size, test_size: how many images, None for all 60,000 and 10,000. A subset is the same
        at every call, and balanced over the classes.
    root: the folder of the four original files, None for `data/fashion-mnist`.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one or a bad size.
    """
    if resize is not None and resize < 1:
        raise ValueError(f'resize is a side in pixels, at least 1, not {resize}')

    def batchify(samples):
        images, labels = zip(*samples, strict=True)
        return as_input(np.stack(images), resize), nd.array(labels, dtype='int32')

    def loader(part, size, shuffle):
        dataset = gluon.data.ArrayDataset(*read_fashion_mnist(part, size, root))
        return gluon.data.DataLoader(dataset, batch_size, shuffle=shuffle, batchify_fn=batchify)

    return loader('train', train_size, shuffle=True), loader('test', test_size, shuffle=False)


# ---------------------------------------------------------------------------------------------
# Training

# What to do when a number is no longer one.
DIVERGED = ('Initialise the net again and use a lower learning rate (a tenth), or check the inputs '
            'for NaN.')


def _device_list(ctx):
    return ctx if isinstance(ctx, (list, tuple)) else [ctx]


def _share(images, labels, devices):
    """Parts of a batch for each device; where images run out, the last devices have none."""
    labels = labels if isinstance(labels, nd.NDArray) else np.asarray(labels)
    kind = np.dtype(labels.dtype)
    if labels.shape != (len(images),) or kind.kind not in 'biuf':  # others would be broadcast
        raise ValueError(f'{len(images)} images need labels of shape ({len(images)},), the number '
                         f'of the class of each, not {kind} of shape {labels.shape}')
    if kind.kind == 'b':  # bool, which MXNet's losses do not take
        labels = labels.astype('int32')
    return (gluon.utils.split_and_load(part, devices[:len(images)], even_split=False)
            for part in (images, labels))


def evaluate_accuracy(data, net, ctx):
    """The share of images in `data` that `net` classifies correctly, in [0, 1].

    data: batches of (images, labels), such as a DataLoader. ctx: a device or a list of them.
    Batch normalisation uses its running statistics, as outside `autograd.record()` always.

    Raises ValueError for labels that are no class numbers, as `train` does, and without batches.
    """
    hits, count = count_hits(data, net, ctx)
    if count == 0:
        raise ValueError('data has no batches')
    return hits / count


def count_hits(data, net, ctx):
    """How many images in `data` `net` classifies correctly, and how many there are.

    data, ctx and the errors raised: see evaluate_accuracy; without batches both are 0.
    """
    devices, hits, count = _device_list(ctx), [], 0
    for images, labels in data:
        xs, ys = _share(images, labels, devices)
        outs = [net(x) for x in xs]
        _check_labels(labels, outs)
        hits += [_hits(out, y) for out, y in zip(outs, ys, strict=True)]
        count += len(images)
    return sum(h.asscalar() for h in hits), count


def _hits(out, y):
    total = out.sum(axis=1)
    right = out.argmax(axis=1) == y.astype('float32')
    return (right * (total == total)).sum()  # NaN, unlike itself, would pass for class 0


def train(train_data, test_data, net, loss, trainer, ctx, num_epochs, live=False, history=(),
          after_epoch=None, evaluate=evaluate_accuracy):
    """Train `net`, print a line an epoch, and return the history, one dictionary an epoch.

    train_data, test_data: batches of (images, labels), such as two DataLoaders. Labels have the
        shape (batch,): class numbers from 0, in any type.
    loss: a Gluon loss, or any function of (outputs, labels) that gives one value an image.
    trainer: a gluon.Trainer; give it an `lr_scheduler` for a learning rate that changes.
    ctx: the device that `net` was initialised on, or a list of devices, which share each batch.
        Each then has running statistics of its own part; after an epoch all get the first's.
    live: also draw the curves in a notebook, ten times an epoch (train_data then needs a len);
        {label: accuracy} instead of True adds horizontal lines to compare with, and
        {label: (None, loss)} one beside the loss.
    history: that of an interrupted training, to go on with the epoch behind its last row.
    after_epoch: called with the history after each epoch, for example to save the net.
    evaluate: a function of (test_data, net, ctx) that gives test_acc.

    A history row has epoch, step (batches so far), loss and train_acc (means over the epoch, as
    the net was while it learned), test_acc, learning_rate, and time (seconds, evaluation
    included).

    Raises FloatingPointError as soon as a loss, or the gradient of the first layer, is NaN or
    infinite, before that batch changes any weight (or, for a NaN that neither shows, after the
    epoch), and ValueError for labels of another shape or that the net has no output for, for a
    loss that is not one value an image, and for a net of which nothing is to be trained.
    """
    print('Start training on ', ctx)
    devices, history = _device_list(ctx), list(history)
    step = history[-1]['step'] if history else 0
    curves = _LiveCurves(num_epochs, live if isinstance(live, dict) else {}) if live else None
    learnable = [p for p in net.collect_params().values() if p.grad_req != 'null']
    if not learnable:
        raise ValueError("there is nothing to train: every parameter of the net is frozen (its "
                         "grad_req is 'null'), or it has none")
    for epoch in range(len(history), num_epochs):
        start = time.time()
        total_loss, hits, count = 0., [], 0
        for data, label in progress(train_data, f'Epoch {epoch}', 'batch'):
            xs, ys = _share(data, label, devices)
            # All is checked before the backward pass, which moves BN's running statistics.
            with autograd.record():
                outs = [net(x) for x in xs]
                _check_labels(label, outs)
                losses = [loss(out, y) for out, y in zip(outs, ys, strict=True)]
                # The gradient of a device without images is zero, not that of its last batch.
                idle = [0 * p.data(device).sum() for device in devices[len(data):]
                        for p in learnable]
            _check_losses(losses, xs)
            batch_loss = sum(part.sum().asscalar() for part in losses)
            _check_finite(batch_loss, 'loss', 'parameters', epoch, step, trainer)
            autograd.backward(losses + idle)
            # The backward pass comes to the first layer last. A NaN may hide from the loss: on a
            # CPU, nn.Activation('relu') turns it into 0.
            gradient = sum(learnable[0].grad(device).sum().asscalar() for device in devices)
            _check_finite(gradient, 'gradient', "weights (not BN's running statistics)", epoch,
                          step, trainer)
            trainer.step(len(data))
            total_loss += batch_loss
            hits += [_hits(out, y) for out, y in zip(outs, ys, strict=True)]
            count += len(data)
            step += 1
            if live:
                curves.add_batch(step / len(train_data), batch_loss, hits[-len(outs):], len(data))
        if count == 0:
            raise ValueError('train_data has no batches')
        _check_parameters(net, devices[0], epoch, trainer)
        _share_statistics(net, devices)
        row = {'epoch': epoch, 'step': step, 'loss': total_loss / count,
               'train_acc': sum(h.asscalar() for h in hits) / count,
               'test_acc': evaluate(test_data, net, ctx),
               'learning_rate': trainer.learning_rate, 'time': time.time() - start}
        history.append(row)
        print('Epoch {epoch}. Loss: {loss:.3f}, Train acc {train_acc:.2f}, '
              'Test acc {test_acc:.2f}, Time {time:.1f} sec'.format(**row))
        if live:
            curves.add_test(epoch + 1, row['test_acc'])
        if after_epoch:
            after_epoch(history)
    return history


def init_net(net, seed):
    """Initialise `net` after He, all random numbers from one seed, and compile it (notebook 01).

    On the GPU if there is one. Memory of nets that are done with is freed first. Returns `net`.
    """
    free_memory()
    seed_everything(seed)
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0), ctx=try_gpu())
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def fit(net, train_data, test_data, epochs=6, learning_rate=0.02):
    """Train `net` by the series' recipe, silently; returns the history of `train` (notebook 01).

    SGD with momentum 0.9 on the cross-entropy, on the GPU if there is one. The learning rate rises
    from 0 to `learning_rate` during the first epoch, then falls to 0 along a cosine.
    train_data, test_data and the errors raised: see `train`.
    """
    schedule = CosineScheduler(epochs * len(train_data), learning_rate,
                               warmup_steps=len(train_data))
    trainer = gluon.Trainer(net.collect_params(), 'sgd',
                            {'lr_scheduler': schedule, 'momentum': 0.9})
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    with contextlib.redirect_stdout(None):
        return train(train_data, test_data, net, loss, trainer, try_gpu(), epochs)


def _check_finite(value, name, kept, epoch, step, trainer):
    if not np.isfinite(value):
        raise FloatingPointError(
            f'the {name} is {value} at epoch {epoch}, step {step}, with learning rate '
            f'{trainer.learning_rate:g}. The {kept} are as they were before this step. '
            f'{DIVERGED}')


def _check_parameters(net, device, epoch, trainer):
    """Neither the loss nor the first gradient need show a NaN of another layer."""
    for p in net.collect_params().values():
        if not np.isfinite(p.data(device).sum().asscalar()):
            raise FloatingPointError(
                f'{p.name} is NaN or infinite after epoch {epoch}, with learning rate '
                f'{trainer.learning_rate:g}. {DIVERGED}')


def _check_labels(labels, outs):
    """A label without an output would be clipped silently by the loss, a fraction cut off."""
    shape = outs[0].shape
    if len(shape) != 2:
        raise ValueError(f'the outputs of the net should have the shape (images, classes), not '
                         f'{shape}')
    values = labels.asnumpy() if isinstance(labels, nd.NDArray) else np.asarray(labels)
    wrong = values[(values != np.floor(values)) | (values < 0) | (values >= shape[1])]
    if len(wrong):
        raise ValueError(f'the net has {shape[1]} outputs, so labels are whole numbers from 0 to '
                         f'{shape[1] - 1}, but this batch has the label {wrong[0]}')


def _check_losses(losses, xs):
    """A mean over the batch, for example, would be divided by the number of images again."""
    for part, x in zip(losses, xs, strict=True):
        if part.shape != (len(x),):
            raise ValueError(f'the loss of {len(x)} images should be one value for each, of shape '
                             f'({len(x)},), not of shape {part.shape}')


def _share_statistics(net, devices):
    """What is evaluated and saved is one net: all devices get the running statistics of the first.

    Not by Parameter.set_data, with which a trainer would forget its momentum.
    """
    for p in net.collect_params().values():
        if p.grad_req == 'null':
            for device in devices[1:]:
                p.data(devices[0]).copyto(p.data(device))


def progress(items, title, unit):
    """`items`, with a bar that shows itself after two seconds, vanishes and stays out of logs."""
    from tqdm.auto import tqdm  # late: it loads ipywidgets

    # tqdm's notebook bar ignores TQDM_DISABLE, with which notebooks are executed for storing.
    # Without a stdout (`redirect_stdout(None)`) it could not be shown, and would raise an error.
    shown = ('TQDM_DISABLE' not in os.environ and sys.stdout is not None
             and ('ipykernel' in sys.modules or sys.stderr.isatty()))
    return tqdm(items, desc=title, unit=unit, leave=False, delay=2, disable=not shown)


class _LiveCurves:
    """Loss and accuracy against epochs, drawn again in place while a notebook's cell runs."""

    def __init__(self, num_epochs, levels):
        from IPython.display import display
        from matplotlib import pyplot as plt

        self.fig, (self.left, self.right) = plt.subplots(1, 2, figsize=(6.4, 3))
        plt.close(self.fig)  # or the notebook would show it once more at the end of the cell
        self.num_epochs, self.levels = num_epochs, levels
        self.epochs, self.losses, self.accuracies, self.tests = [0.], [], [], []
        self.batches = []
        self.handle = display(self.fig, display_id=True)

    def add_batch(self, epochs, loss, hits, count):
        self.batches.append((loss, hits, count))
        if epochs - self.epochs[-1] < 0.0999:
            return
        total = sum(count for _, _, count in self.batches)
        self.epochs.append(epochs)
        self.losses.append(sum(loss for loss, _, _ in self.batches) / total)
        self.accuracies.append(sum(h.asscalar() for _, hits, _ in self.batches for h in hits)
                               / total)
        self.batches = []
        self.draw()

    def add_test(self, epochs, accuracy):
        self.tests.append((epochs, accuracy))
        self.draw()

    def draw(self):
        for ax, title in ((self.left, 'training loss'), (self.right, 'accuracy')):
            ax.clear()
            ax.set(xlabel='epochs', ylabel=title, xlim=(0, self.num_epochs))
        self.left.plot(self.epochs[1:], self.losses, color='black')
        self.right.plot(self.epochs[1:], self.accuracies, color='black')
        self.right.text(0.97, 0.18, 'line: training batches', ha='right',
                        transform=self.right.transAxes)
        if self.tests:
            self.right.plot(*zip(*self.tests, strict=True), linestyle='', marker='o', markersize=8,
                            clip_on=False, color='#0072b2')
            tests = ', '.join(f'{accuracy:.2f}' for _, accuracy in self.tests)
            self.right.text(0.97, 0.07, f'dots: test images, {tests}', ha='right',
                            color='#0072b2', transform=self.right.transAxes)
        for label, level in self.levels.items():
            accuracy, loss = level if isinstance(level, tuple) else (level, None)
            if accuracy is not None:
                self.right.axhline(accuracy, color='0.45', linestyle='--', label=label)
                self.right.text(0.02, accuracy, label, va='bottom', color='0.45')
            if loss is not None:
                self.left.axhline(loss, color='0.45', linestyle='--')
                self.left.text(self.num_epochs, loss, label, ha='right', va='top', color='0.45')
        if self.handle:  # outside IPython there is nothing to update
            self.handle.update(self.fig)


# ---------------------------------------------------------------------------------------------
# Counting and measuring


def count_parameters(net):
    """How many numbers training may change: BN's running statistics are not among them.

    The net's shapes must be known: initialise it and pass one batch through it first.
    """
    learnable = [p for p in net.collect_params().values() if p.grad_req != 'null']
    if unknown := [p.name for p in learnable if 0 in p.shape]:
        raise ValueError(f'the shape of {unknown[0]} is not known yet: initialise the net and '
                         'pass one batch through it first')
    return sum(int(np.prod(p.shape)) for p in learnable)


def count_multiply_adds(net, shape):
    """Multiply-adds of the convolutions and dense layers of a HybridBlock (He 2015's "FLOPs").

    shape: of the input, (batch, channels, height, width). Nothing is computed: the shapes are
    inferred. Biases, BN, activations and pooling are not counted, as in the paper.
    """
    graph = net(mx.sym.var('data')).get_internals()
    _, shapes, _ = graph.infer_shape(data=shape)
    shape_of = dict(zip(graph.list_outputs(), shapes, strict=True))
    nodes, total = json.loads(graph.tojson())['nodes'], 0
    for node in nodes:
        if node['op'] in ('Convolution', 'FullyConnected'):
            weight = nodes[node['inputs'][1][0]]['name']
            out = shape_of[node['name'] + '_output']
            # Each output position multiplies and adds every number of the weight once.
            total += out[0] * int(np.prod(out[2:])) * int(np.prod(shape_of[weight]))
    return total


def gradient_norms(net, loss, x, y):
    """The norm of the mean loss's gradient for each convolution's weight, first layer first.

    x, y: a batch of images and labels on the net's device. The pass is one in training mode, as
    a training step takes it, so BN's running statistics move; no parameter is updated.
    """
    with autograd.record():
        mean_loss = loss(net(x), y).mean()
    mean_loss.backward()
    return [p.grad(x.ctx).norm().asscalar() for p in net.collect_params().values()
            if p.name.endswith('weight') and len(p.shape) == 4]


# ---------------------------------------------------------------------------------------------
# Plots

# Plain and residual nets look the same throughout the series, in greyscale too.
PLAIN = {'color': '#d55e00', 'linestyle': '--'}
RESIDUAL = {'color': '#0072b2', 'linestyle': '-'}


def final_errors(history):
    """The last row of a history of `train` in words."""
    return 'training error {:.0f} %, test error {:.0f} %'.format(
        *(100 * (1 - history[-1][key]) for key in ('train_acc', 'test_acc')))


def plot_errors(runs, title):
    """Training error (%) against steps: mean over seeds, range as a band, names at the ends.

    runs: {label: (line style, [a history of `train` for each seed])}.
    """
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(6.4, 3.8))
    ends = {}
    for label, (style, histories) in runs.items():
        steps = [row['step'] for row in histories[0]]
        errors = 100 * (1 - np.array([[row['train_acc'] for row in run] for run in histories]))
        ax.plot(steps, errors.mean(axis=0), **style)
        ends[label] = errors[:, -1].mean()
        ax.fill_between(steps, errors.min(axis=0), errors.max(axis=0), alpha=0.2,
                        color=style['color'], linewidth=0)
    ax.set(xlabel='training steps', ylabel='training error (%)', title=title)
    ax.set_ylim(bottom=0)
    # Names whose lines end close together stand one above the other, around these ends.
    height, groups = 0.065 * ax.get_ylim()[1], []
    for label in sorted(ends, key=ends.get):
        group = [label]
        while groups and (np.mean([ends[name] for name in group])
                          - np.mean([ends[name] for name in groups[-1]])
                          < height * (len(group) + len(groups[-1])) / 2):
            group = groups.pop() + group
        groups.append(group)
    for group in groups:
        middle = np.mean([ends[name] for name in group])
        for place, name in enumerate(group):
            color = runs[name][0]['color']
            ax.annotate(name, (steps[-1], ends[name]), va='center', color=color,
                        xytext=(steps[-1] + 0.09 * (steps[-1] - steps[0]),
                                middle + height * (place - (len(group) - 1) / 2)),
                        arrowprops={'arrowstyle': '-', 'color': color, 'linewidth': 0.8})
    plt.show()
