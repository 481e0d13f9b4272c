"""Training steps on one batch, for the scripts that time them."""
import time

from mxnet import autograd, nd


def train_step(net, loss, trainer, x, y):
    """Queue one step on the images x, (batch, channels, height, width), and labels y."""
    with autograd.record():
        value = loss(net(x), y)
    value.backward()
    trainer.step(len(x))


def step_seconds(steps, *batch):
    """Seconds of each of `steps` steps; batch: what train_step takes."""
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        train_step(*batch)
        nd.waitall()
        seconds.append(time.perf_counter() - start)
    return seconds
