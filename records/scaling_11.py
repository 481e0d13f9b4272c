"""What two workers cost on this machine: computing, pushing and pulling, and both together.

About three minutes on two cores that do nothing else. Notebook 11 shows the result, and holds its
model against it.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.scaling_11
"""
import json
import os
import statistics
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

MEGABYTES, SIZE, ROUNDS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64), 28, 4
BATCH = 32  # of each worker
# glibc takes arrays of more than 32 MB from Linux anew each time, and gives them back.
KEEP_MEMORY = {'MALLOC_MMAP_THRESHOLD_': '1000000000', 'MALLOC_TRIM_THRESHOLD_': '4000000000'}
# name: (what is measured, workers, images in a batch, threads, further environment). No worker:
# a process by itself; 'side by side': two of them at the same time, without a word to each other.
PLAN = {'1 worker': ('push', 1, 0, 1, {}),
        '2 workers': ('push', 2, 0, 1, {}),
        '1 worker, memory kept': ('push', 1, 0, 1, KEEP_MEMORY),
        '1 process, 1 thread, 32 images': ('train', 0, BATCH, 1, {}),
        '1 process, 1 thread, 64 images': ('train', 0, 2 * BATCH, 1, {}),
        '1 process, 2 threads, 64 images': ('train', 0, 2 * BATCH, 2, {}),
        '2 processes side by side, 32 images each': ('side by side', 0, BATCH, 1, {}),
        '2 workers, 32 images each': ('train', 2, BATCH, 1, {})}


def new_net():
    """The ResNet-18 of scripts/train.py for Fashion-MNIST: (b, 1, 28, 28) to (b, 10)."""
    net = resnet.resnet18(10)
    net.infer_shape(nd.zeros((1, 1, SIZE, SIZE)))
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def push_and_pull(store, repeats=11):
    """Median seconds to push an array and to pull the sum of all workers', by megabytes (10⁶)."""
    seconds = {}
    for key, megabytes in enumerate(MEGABYTES):
        array = nd.ones(int(megabytes * 250_000))
        store.init(key, array)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            store.push(key, array)
            store.pull(key, out=array)
            array.wait_to_read()
            times.append(time.perf_counter() - start)
        seconds[megabytes] = statistics.median(times[1:])
    return seconds


def images_a_second(store, batch_size, steps=20):
    """Images of one worker a second in the median step, communication included: ResNet-18."""
    net = new_net()
    trainer = training.new_trainer(net, 0.01, steps, 2, store, store.num_workers)
    trainer.save_states(os.devnull)
    nd.waitall()
    x, y = nd.random.normal(shape=(batch_size, 1, SIZE, SIZE)), nd.zeros(batch_size)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    return batch_size / statistics.median(step_seconds(steps, net, loss, trainer, x, y)[2:])


def worker(kind, batch_size):
    """What one process measures; prints it as JSON."""
    store = mx.kv.create('dist_sync' if 'DMLC_ROLE' in os.environ else 'device')
    result = push_and_pull(store) if kind == 'push' else images_a_second(store, batch_size)
    nd.waitall()
    if store.rank == 0:
        print(f'result {json.dumps(result)}')


def measure(kind, workers, batch_size, threads, environment):
    """The result of one line of the plan; images a second are those of all processes together."""
    launcher = [sys.executable, str(ROOT / 'scripts' / 'launch_local.py'), str(workers), '--']
    measured = 'push' if kind == 'push' else 'train'
    command = [*(launcher if workers else []), sys.executable, '-m', __spec__.name, measured,
               str(batch_size)]
    env = {**os.environ, **environment, 'OMP_NUM_THREADS': str(threads)}
    jobs = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            for _ in range(2 if kind == 'side by side' else 1)]
    try:
        said = [job.communicate(timeout=120)[0] for job in jobs]
    finally:
        for job in jobs:
            job.kill()
    results = [json.loads(text.split('result ')[1]) for text in said]
    return results[0] if kind == 'push' else sum(results) * max(workers, 1)


def main():
    rounds = {name: [] for name in PLAN}
    for _ in range(ROUNDS):  # in turn, so that what changes with time hits all alike
        for name, arguments in PLAN.items():
            rounds[name].append(measure(*arguments))
            print(name, rounds[name][-1], flush=True)
    push = {name: results for name, results in rounds.items() if PLAN[name][0] == 'push'}
    write(__file__, note=f'medians of each of {ROUNDS} rounds, on a machine that did nothing else',
          parameters=utils.count_parameters(new_net()), batch_size=BATCH, size=SIZE,
          push_pull_seconds={name: {size: [result[size] for result in results]
                                    for size in results[0]} for name, results in push.items()},
          images_a_second={name: results for name, results in rounds.items() if name not in push})


if __name__ == '__main__':
    if sys.argv[1:2] in (['push'], ['train']):
        worker(sys.argv[1], int(sys.argv[2]))
    else:
        take_no_arguments(__doc__)
        main()
