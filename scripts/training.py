"""Training that can be interrupted, and shared among workers: seeds, optimizer, epochs, history."""
import csv
import io
import os

import utils  # before mxnet, for its threads

import mxnet as mx
import numpy as np
from mxnet import gluon, nd
from mxnet.lr_scheduler import CosineScheduler

import checkpoint
from files import whole
from nets import FrozenFeatures


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


def history_csv(history):
    """The rows of utils.train's history as CSV text; its test_acc is called val_acc there."""
    rows = [{'val_acc' if key == 'test_acc' else key: value for key, value in row.items()}
            for row in history]
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, rows[0] if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_history(path, history):
    """Write history_csv to a file, whole or not at all.

    Raises OSError, for example when the disk is full.
    """
    with whole(path, newline='') as file:
        file.write(history_csv(history))


def evaluate_together(net, store, rank, key):
    """A function like utils.evaluate_accuracy, for workers that each have a share of the images.

    store: the kvstore of all. key: from this number on, its keys are free. What is evaluated is
    worker 0's net, which is the one that is kept: the others' running statistics are of their own
    images, and are replaced by worker 0's. (Exact up to 2²⁴ images: the store adds in float32.)
    """
    statistics = [p for p in net.collect_params().values()
                  if p.name.endswith(('running_mean', 'running_var'))]
    for number, p in enumerate(statistics, key + 1):
        store.init(number, nd.zeros(p.shape))
    store.init(key, nd.zeros(2))

    def add_up(number, array):
        store.push(number, array)
        store.pull(number, out=array)
        return array

    def evaluate(data, net, ctx):
        for number, p in enumerate(statistics, key + 1):
            own = p.data(p.list_ctx()[0]).as_in_context(mx.cpu())
            common = add_up(number, own.copy() if rank == 0 else nd.zeros(p.shape))
            for device in p.list_ctx():
                common.copyto(p.data(device))
        hits, count = add_up(key, nd.array(utils.count_hits(data, net, ctx))).asnumpy()
        return float(hits) / float(count)

    return evaluate


def fit(net, data, about, run, ctx, epochs, lr=0.05, seed=0, freeze=False, resume=False,
        csv_file=None, kvstore='device', rank=0, workers=1):
    """Train `net`, and keep run/last.ckpt and, of the epoch with the best accuracy, run/best.ckpt.

    data: the two DataLoaders, of training and validation. about: what the checkpoints say (see
    checkpoint.save), with a history of no rows, or of those of the run to go on with. run: a
    folder. ctx: a list of devices. epochs: all of them. lr: the highest learning rate. freeze:
    train only the last layer. resume: take the optimizer's state from run/last.ckpt. csv_file: for
    loss and accuracy of each epoch, None for no file. kvstore, rank, workers: see notebook 11; only
    worker 0 writes. The accuracy is that of all workers' validation images.

    Returns the history of utils.train, whose test_acc is the validation accuracy. Raises what
    utils.train raises, and OSError when the disk is full.
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
    evaluate = (utils.evaluate_accuracy if workers == 1
                else evaluate_together(net, kvstore, rank, len(trainer._params)))

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
                          after_epoch=after_epoch, evaluate=evaluate)
    nd.waitall()  # what is still queued when Python ends would be missing to the other workers
    return history
