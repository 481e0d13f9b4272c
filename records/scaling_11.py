"""What two workers cost on this machine: computing, pushing and pulling, and both together.

About two minutes on two cores. Notebook 11 shows the result, and holds its model against it.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.scaling_11
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'scripts'))
import utils  # before mxnet, for its threads

import mxnet as mx
from mxnet import gluon, nd

import resnet
import training
from tools.record import take_no_arguments, write
from tools.steps import step_seconds

MEGABYTES, SIZE, ROUNDS = (1, 2, 4, 8, 16, 32, 64), 28, 3
BATCH = 32  # of each worker


def new_net():
    """The ResNet-18 of scripts/train.py for Fashion-MNIST: (b, 1, 28, 28) to (b, 10)."""
    net = resnet.resnet18(10)
    net.infer_shape(nd.zeros((1, 1, SIZE, SIZE)))
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def push_and_pull(store, repeats=9):
    """Least seconds to push an array and to pull the sum of all workers', by megabytes (10⁶)."""
    seconds = {}
    for key, megabytes in enumerate(MEGABYTES):
        array = nd.ones(megabytes * 250_000)
        store.init(key, array)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            store.push(key, array)
            store.pull(key, out=array)
            array.wait_to_read()
            times.append(time.perf_counter() - start)
        seconds[megabytes] = min(times)
    return seconds


def images_a_second(store, batch_size, steps=20):
    """Images of one worker a second in the fastest step, communication included: ResNet-18."""
    net = new_net()
    trainer = training.new_trainer(net, 0.01, steps, 2, store, store.num_workers)
    trainer.save_states(os.devnull)
    nd.waitall()
    x, y = nd.random.normal(shape=(batch_size, 1, SIZE, SIZE)), nd.zeros(batch_size)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    return batch_size / min(step_seconds(steps, net, loss, trainer, x, y))


def worker(kind, batch_size):
    """What one process measures; prints it as JSON."""
    store = mx.kv.create('dist_sync' if 'DMLC_ROLE' in os.environ else 'device')
    result = push_and_pull(store) if kind == 'push' else images_a_second(store, int(batch_size))
    nd.waitall()
    if store.rank == 0:
        print(f'result {json.dumps(result)}')


def measure(workers, kind, batch_size=BATCH, threads=1):
    """The result of worker 0 of so many; for None, of a process that is no worker."""
    launcher = [sys.executable, str(ROOT / 'scripts' / 'launch_local.py'), str(workers), '--']
    command = [sys.executable, '-m', __spec__.name, kind, str(batch_size)]
    done = subprocess.run(
        [*(launcher if workers else []), *command],
        env={**os.environ, 'OMP_NUM_THREADS': str(threads)}, stdout=subprocess.PIPE, text=True,
        check=True, timeout=300)
    return json.loads(done.stdout.split('result ')[1])


def main():
    plan = {'push and pull, 1 worker': (1, 'push'),
            'push and pull, 2 workers': (2, 'push'),
            '1 process, 1 thread': (None, 'train'),
            '1 process, 2 threads': (None, 'train', 2 * BATCH, 2),
            '2 workers, 1 thread each': (2, 'train')}
    rounds = {name: [] for name in plan}
    for _ in range(ROUNDS):  # in turn
        for name, arguments in plan.items():
            result = measure(*arguments)
            rounds[name].append(2 * result if name.startswith('2 workers') else result)
            print(name, rounds[name][-1], flush=True)
    seconds = {name: {size: min(one[size] for one in results) for size in results[0]}
               for name, results in rounds.items() if name.startswith('push')}
    speed = {name: max(results) for name, results in rounds.items() if not name.startswith('push')}
    write(__file__, note='the fastest of all repeats, on an idle machine',
          parameters=utils.count_parameters(new_net()), batch_size=BATCH, size=SIZE,
          push_pull_seconds=seconds, images_a_second=speed)


if __name__ == '__main__':
    if sys.argv[1:2] in (['push'], ['train']):
        worker(*sys.argv[1:])
    else:
        take_no_arguments(__doc__)
        main()
