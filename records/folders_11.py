"""What a folder of 1,000, 10,000 and 100,000 pictures costs: start-up, memory, training rate.

    OMP_NUM_THREADS=2 .venv/bin/python -m records.folders_11 FOLDER [PICTURES …]

In FOLDER, which must not exist and is left empty, 100,000 pictures take 15 GB. About an hour on two
cores that do nothing else. At most IN_MEMORY pictures are kept in memory: 100,000 would be 15 GB
there, too. Notebook 11 shows the result.

The pictures are drawn, 1024 x 768 JPEGs: 200 of them, to which as many names lead (hard links).
Each name is hashed and decoded by itself, as if it were another file; but the drawings, 50 MB, stay
in Linux's memory, so that a slow disk of photographs would not be seen here.
"""
import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'scripts'))
import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx
import numpy as np
from mxnet import gluon
from PIL import Image

import batches
import nets
import training
from tools.record import write
from tools.steps import peak_megabytes, step_seconds

COUNTS, DRAWINGS, VALIDATED = (1000, 10_000, 100_000), 200, 0.1
IN_MEMORY = 10_000
SIZE, STEPS = 224, 5
BATCH = 16  # with 32, ResNet-18 takes 1.7 GB at 224 px, whatever the folder
STARTS = ('first', 'later', 'memory')  # decoding; with what is decoded; all kept in memory


# ---------------------------------------------------------------------------------------------
# A folder


def draw(path, number):
    """A smooth picture with a camera's noise, 1024 x 768 pixels, about 240 kB."""
    random = np.random.RandomState(number)
    smooth = Image.fromarray(random.randint(0, 256, (48, 64, 3), dtype=np.uint8))
    pixels = np.asarray(smooth.resize((1024, 768), Image.Resampling.BICUBIC)).astype(int)
    pixels += random.randint(-12, 13, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=88)


def make(split, count, drawings=DRAWINGS):
    """A split of so many pictures in ten classes; all names of one drawing are in one class."""
    for number in range(count):
        part = 'val' if number // drawings % round(1 / VALIDATED) == 0 else 'train'
        path = split / part / f'class {number % drawings % 10}' / f'{number}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < drawings:
            draw(path, number)
        else:
            first = number % drawings
            path.hardlink_to(split / 'val' / f'class {first % 10}' / f'{first}.jpg')


# ---------------------------------------------------------------------------------------------
# One start of a process


def measure(split, start):
    """What one start costs, as a dictionary; start: one of STARTS.

    seconds from the listing of the folder to the first batch, Python's own start left out;
    megabytes (10⁶; peak of the process, resident), of a later start with STEPS steps of training
    and a look at every picture; then also seconds of a step and of a batch's input, medians.
    """
    begin = time.perf_counter()
    where = None if start == 'memory' else split.with_name(f'{split.name}.cache')
    train_set, val_set, classes = batches.load_split(split, SIZE, False, where)
    facts = batches.facts(train_set, val_set)
    about = {'classes': classes, 'depth': 18, 'size': SIZE, 'grey': False,
             'stride_on_first': False, **facts}
    data, _ = batches.loaders(train_set, val_set, about, BATCH, ['crop', 'flip'])
    batch = iter(data)
    x, y = next(batch)
    x.wait_to_read()
    result = {'seconds': time.perf_counter() - begin}
    if start == 'later':
        result |= {'input': median(input_seconds(batch) for _ in range(STEPS)),
                   'step': step(about, x, y)}
        for images, _ in (train_set, val_set):
            for _image in images:
                pass
    return {**result, 'megabytes': peak_megabytes()}


def input_seconds(batch):
    start = time.perf_counter()
    next(batch)[0].wait_to_read()
    return time.perf_counter() - start


def step(about, x, y):
    """Seconds of a training step of ResNet-18, the median of STEPS, the first left out."""
    net = nets.first_net(about, None, [mx.cpu()])
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = training.new_trainer(net, 0.01, STEPS, 2)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    return median(step_seconds(STEPS + 1, net, loss, trainer, x, y)[1:])


def in_a_process(split, start):
    """The result of `measure` in a process of its own, None where the pictures do not fit."""
    command = [sys.executable, '-m', __spec__.name, str(split), '--start', start]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', metavar='FOLDER', type=Path)
    parser.add_argument('counts', metavar='PICTURES', type=int, nargs='*', default=COUNTS)
    parser.add_argument('--start', choices=STARTS, help=argparse.SUPPRESS)  # for in_a_process
    options = parser.parse_args()
    if options.start:
        print(json.dumps(measure(options.folder, options.start)))
        return
    options.folder.mkdir(parents=True)
    results = []
    for count in options.counts:
        split = options.folder / f'{count}'
        try:
            make(split, count)
            results.append({'pictures': count, **{
                start: in_a_process(split.resolve(), start) for start in STARTS
                if start != 'memory' or count <= IN_MEMORY}})
        finally:
            shutil.rmtree(split, ignore_errors=True)
            shutil.rmtree(f'{split}.cache', ignore_errors=True)
        print(results[-1], flush=True)
    write(__file__, size=SIZE, batch=BATCH, drawings=DRAWINGS, depth=18, results=results)


if __name__ == '__main__':
    main()
