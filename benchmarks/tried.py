"""What was tried to make training faster: each variant beside what the series does, in one run.

    .venv/bin/python -m benchmarks.tried

About six minutes on two cores. Writes tried.json; README.md says what became of each.
"""
import json
import os
import subprocess
import sys
import time
from statistics import median

import utils  # before mxnet, for its threads

import mxnet as mx
from mxnet import gluon, init, nd

from resnet import PlainBlock, Residual, ResNet, ShortcutBlock, cifar_net
from tools.record import take_no_arguments, write
from tools.steps import train_step

ROUNDS, STEPS = 5, 3
STATIC = {'static_alloc': True, 'static_shape': True}


class WithFunction(Residual):
    """F.relu, as in the original lesson, in place of the layer."""

    def hybrid_forward(self, F, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if not self.same_shape:
            x = self.conv3(x)
        return F.relu(out + x)


class PlainWithFunction(PlainBlock):
    def hybrid_forward(self, F, x):
        return F.relu(self.body(x))


class ShortcutWithFunction(ShortcutBlock):
    def hybrid_forward(self, F, x):
        out = self.body(x)
        if self.stride == 2:
            x = F.Pooling(x, kernel=(1, 1), stride=(2, 2))
            x = F.concat(x, F.zeros_like(x), dim=1)
        return F.relu(out + x)


def lesson(block=Residual):
    return ResNet(10, block=block)


# What, the net, its hybridization (None: eager), batch and side; the first of a group is ours.
VARIANTS = {
    'lesson, 96 px': {
        'as it is': (lesson, STATIC, 64, 96),
        'F.relu in the block': (lambda: lesson(WithFunction), STATIC, 64, 96),
        'hybridize() alone': (lesson, {}, 64, 96),
        'eager': (lesson, None, 64, 96),
        'F.relu, eager: the original code on all cores': (
            lambda: lesson(WithFunction), None, 64, 96)},
    'lesson, 32 px': {
        'as it is': (lesson, STATIC, 128, 32),
        'F.relu in the block': (lambda: lesson(WithFunction), STATIC, 128, 32),
        'batch 64': (lesson, STATIC, 64, 32)},
    'ResNet-56, 14 px': {
        'as it is': (lambda: cifar_net(56, ShortcutBlock), STATIC, 128, 14),
        'F.relu in the block': (lambda: cifar_net(56, ShortcutWithFunction), STATIC, 128, 14)},
    'plain-56, 14 px': {
        'as it is': (lambda: cifar_net(56, PlainBlock), STATIC, 128, 14),
        'F.relu in the block': (lambda: cifar_net(56, PlainWithFunction), STATIC, 128, 14)},
}
# For a new process each, since they are read when MXNet loads.
ENVIRONMENTS = ({}, {'OMP_PROC_BIND': 'true'}, {'OMP_WAIT_POLICY': 'active'},
                {'MXNET_CPU_WORKER_NTHREADS': '2'}, {'MXNET_OPTIMIZER_AGGREGATION_SIZE': '60'},
                {'MXNET_EXEC_BULK_EXEC_MAX_NODE_TRAIN': '60'},
                {'OMP_NUM_THREADS': '1'}, {'OMP_NUM_THREADS': '4'})


class Run:
    """A net that trains on one random batch."""

    def __init__(self, new_net, hybridization, batch, size):
        self.net, self.batch = new_net(), batch
        self.net.initialize(init.Xavier())
        if hybridization is not None:
            self.net.hybridize(**hybridization)
        self.x = nd.random.uniform(shape=(batch, 1, size, size))
        self.y = nd.random.randint(0, 10, (batch,))
        self.loss = gluon.loss.SoftmaxCrossEntropyLoss()
        self.trainer = gluon.Trainer(self.net.collect_params(), 'sgd', {'learning_rate': 1e-3})
        self.train()

    def train(self):
        """Images a second over a few steps."""
        start = time.perf_counter()
        for _ in range(STEPS):
            train_step(self.net, self.loss, self.trainer, self.x, self.y)
        nd.waitall()
        return STEPS * self.batch / (time.perf_counter() - start)


def measure(variants):
    runs = {name: Run(*variant) for name, variant in variants.items()}
    rates = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            rates[name].append(run.train())
    return rates


def profile(block):
    """Milliseconds of a training step of the lesson's net at 96 px by operator, longest first.

    Hybridized without static_alloc: a graph that runs as a whole shows no operators.
    """
    run = Run(lambda: lesson(block), {}, 64, 96)
    mx.profiler.set_config(profile_symbolic=True, profile_imperative=True, aggregate_stats=True,
                           filename=os.devnull)
    mx.profiler.set_state('run')
    run.train()
    mx.profiler.set_state('stop')
    times = json.loads(mx.profiler.dumps(reset=True, format='json'))['Time']['operator']
    steps = {name: time['Total'] / STEPS for name, time in times.items()}
    return dict(sorted(steps.items(), key=lambda item: -item[1]))


def in_environment(environment):
    """The median rate of the lesson's net at 96 px in a new process."""
    done = subprocess.run([sys.executable, '-m', __spec__.name, 'lesson'],
                          env=os.environ | environment, stdout=subprocess.PIPE, text=True,
                          check=True)
    return float(done.stdout)


def main():
    rates = {}
    for group, variants in VARIANTS.items():
        rates[group] = measure(variants)
        utils.free_memory()
    rates['environment'] = {str(environment): [] for environment in ENVIRONMENTS}
    for _ in range(3):
        for environment in ENVIRONMENTS:
            rates['environment'][str(environment)].append(in_environment(environment))
    for group, variants in rates.items():
        ours = next(iter(variants.values()))
        for name, values in variants.items():
            share = median(a / b for a, b in zip(values, ours, strict=True))
            print(f'{group:18} {name:45} {median(values):7.0f} images/s, {share:.2f} of ours')
    profiles = {block.__name__: profile(block) for block in (WithFunction, Residual)}
    write(__file__, images_a_second=rates, profile_milliseconds=profiles)


if __name__ == '__main__':
    if sys.argv[1:] == ['lesson']:
        run = Run(lesson, STATIC, 64, 96)
        print(median(run.train() for _ in range(ROUNDS)))
    else:
        take_no_arguments(__doc__)
        main()
