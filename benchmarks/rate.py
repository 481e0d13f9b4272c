"""One point of `benchmarks/bench.py`'s scaling: a ResNet's training rate and the peak of memory.

    OMP_NUM_THREADS=2 .venv/bin/python -m benchmarks.rate DEPTH SIZE BATCH

Prints JSON: images_a_second (median of the steps), megabytes (10⁶; peak of the process, resident)
and first_step (seconds, hybridization included).
"""
import json
import sys
from statistics import median

import utils  # noqa: F401  before mxnet, for its threads

from mxnet import gluon, init, nd

import resnet
from tools.steps import peak_megabytes, step_seconds

STEPS = 4


def main(depth, size, batch):
    net = getattr(resnet, f'resnet{depth}')(10)
    net.initialize(init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.01})
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    x, y = nd.random.uniform(shape=(batch, 1, size, size)), nd.random.randint(0, 10, (batch,))
    nd.waitall()
    seconds = step_seconds(STEPS + 1, net, loss, trainer, x, y)
    print(json.dumps({'images_a_second': batch / median(seconds[1:]),
                      'megabytes': peak_megabytes(), 'first_step': seconds[0]}))


if __name__ == '__main__':
    main(*map(int, sys.argv[1:]))
