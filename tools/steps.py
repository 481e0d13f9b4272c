"""Training steps on one batch, and a process's memory, for the scripts that measure them."""
import time
from pathlib import Path

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


def peak_megabytes():
    """Of this process (10⁶, resident); getrusage would count its parent's when it was started."""
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) * 1024 / 1e6
