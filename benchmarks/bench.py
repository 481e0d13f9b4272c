"""`make bench`: the series' speed beside what a student would use instead, in one run.

    make bench

20 to 30 minutes on two cores. Writes benchmarks/results.md, scaling.png and results.json. Close
other programs first: absolute times vary between machines and days, ratios far less.

    .venv/bin/python -m benchmarks.bench report

writes results.md again from the records, without measuring.
"""
import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import mean, median

import utils  # before mxnet, for its threads

import matplotlib.pyplot as plt
import onnxruntime
from loky import cpu_count

import resnet
from scripts import commands
from scripts.files import whole
from tools.record import write

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTORCH = ROOT / '.venv-bench' / 'bin' / 'python'
ROUNDS = 5
BATCH, SIZE, STEPS, BATCHES, SIDE = 64, 96, 10, 12, 4096  # as in contender.py
CORES = cpu_count(only_physical_cores=True)
SEEDS = (0, 1, 2)  # of notebook 04's job
TIMES_SOONER = 10  # the original job is stopped when it has taken this many times as long
BASE = {'cores': CORES, 'depth': 18, 'size': SIZE, 'batch': BATCH}
VARIED = {'cores': sorted({1, CORES}), 'size': (32, 64, 96, 128),
          'batch': (8, 32, 64, 128), 'depth': (18, 34, 50)}


# ---------------------------------------------------------------------------------------------
# Measuring


def default_threads():
    """The environment without a number of threads: each contender takes its own default."""
    return {k: v for k, v in os.environ.items() if k not in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')}


class Contender:
    """A process that waits for the name of a task and answers with its seconds."""

    def __init__(self, *command):
        self.command = command
        self.errors = tempfile.TemporaryFile('w+', errors='replace')  # a pipe nobody reads fills up
        self.process = subprocess.Popen(
            [str(part) for part in command], cwd=ROOT, env=default_threads(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f'{self.command[1:]} stopped:\n{self.errors.read()[-2000:]}')
        return line.strip()

    def wait_until_ready(self):
        while self.read() != 'ready':
            pass

    def seconds(self, task):
        with suppress(BrokenPipeError):  # it has stopped; read() says why
            print(task, file=self.process.stdin, flush=True)
        return float(self.read())


def measure_throughput():
    """Seconds of every task of every contender, interleaved: {contender: {task: [a round]}}."""
    commands = {name: (sys.executable, '-m', 'benchmarks.contender', name)
                for name in ('ours', 'original', 'zoo', 'fused', 'onnx')}
    commands['pytorch'] = (PYTORCH, '-m', 'benchmarks.pytorch_net', 'eager')
    commands['compiled'] = (PYTORCH, '-m', 'benchmarks.pytorch_net', 'compiled')
    tasks = {'ours': ('train', 'infer', 'one by one', 'dot', 'dense'),
             'original': ('train', 'infer'), 'zoo': ('train', 'infer'), 'fused': ('infer',),
             'onnx': ('infer', 'one by one'),
             'pytorch': ('train', 'infer', 'one by one', 'matmul'),
             'compiled': ('train', 'infer', 'one by one')}
    contenders = {}
    for name, command in commands.items():  # one after the other: they warm up
        contenders[name] = Contender(*command)
        contenders[name].wait_until_ready()
    seconds = {name: {task: [] for task in tasks[name]} for name in commands}
    for _ in utils.progress(range(ROUNDS), 'throughput', 'round'):
        for name, contender in contenders.items():
            for task in tasks[name]:
                seconds[name][task].append(contender.seconds(task))
    for contender in contenders.values():
        contender.process.communicate()
    return seconds


def run(script, *arguments, threads=None):
    """The JSON that a script of this folder prints at its end, and the seconds that it took."""
    environment = default_threads() | ({'OMP_NUM_THREADS': str(threads)} if threads else {})
    start = time.perf_counter()
    done = subprocess.run([sys.executable, '-m', f'benchmarks.{script}', *map(str, arguments)],
                          cwd=ROOT, env=environment, text=True, capture_output=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f'{script} {arguments} failed:\n{done.stderr[-2000:]}')
    return json.loads(done.stdout.splitlines()[-1]), seconds


def measure_jobs():
    ours = []
    for seed in utils.progress(SEEDS, "notebook 04's job", 'seed'):
        last, seconds = run('job', '04', seed)
        ours.append({'test_acc': last['test_acc'], 'seconds': seconds})
    limit = int(TIMES_SOONER * median(job['seconds'] for job in ours)) + 1
    print(f"the original lesson's job, for at most {limit} s …", flush=True)
    result, seconds = run('job', 'original', limit)
    return {'04': ours, 'original': {**result, 'seconds': seconds}}


def measure_scaling():
    points = []
    for what, values in VARIED.items():
        for value in utils.progress(values, what, 'point'):
            point = BASE | {what: value}
            result, _ = run('rate', point['depth'], point['size'], point['batch'],
                            threads=point['cores'])
            points.append({'varied': what, **point, **result})
    return points


def measure_start():
    """Seconds of a new Python that only imports, one number a round."""
    seconds = {'import mxnet': [], 'import utils': []}
    for _ in range(ROUNDS):
        for code in seconds:
            start = time.perf_counter()
            subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=default_threads(),
                           check=True)
            seconds[code].append(time.perf_counter() - start)
    return seconds


# ---------------------------------------------------------------------------------------------
# Counting: a multiply-add is two operations


@functools.cache
def forward_operations():
    """Of the lesson's net on one image; and of its first convolution, whose input needs no
    gradient."""
    net = resnet.ResNet(10)
    return tuple(2 * utils.count_multiply_adds(part, (1, 1, SIZE, SIZE))
                 for part in (net, net.net[0]))


def operations(task):
    """Of one run of a task: forward once, backward twice; then one batch for testing."""
    forward, first = forward_operations()
    return {'train': BATCH * (STEPS * (3 * forward - first) + forward),
            'infer': BATCH * BATCHES * forward}.get(task, 2 * SIDE ** 3)


# ---------------------------------------------------------------------------------------------
# Reporting


def spread(values, digits=0):
    low, high = min(values), max(values)
    return f'{median(values):,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})'


def rates(results, name, task):
    """Images a second of each round."""
    images = BATCH * {'train': STEPS, 'infer': BATCHES, 'one by one': 1}[task]
    return [images / seconds for seconds in results['throughput'][name][task]]


def gigaflops(results, name, task):
    """10⁹ operations a second of each round."""
    return [operations(task) / 1e9 / seconds for seconds in results['throughput'][name][task]]


def median_ratio(values, others):
    """The median over rounds of the ratio."""
    return median(a / b for a, b in zip(values, others, strict=True))


def ratio(results, name, other, task):
    """How many times as fast `name` is as `other`."""
    return median_ratio(rates(results, name, task), rates(results, other, task))


def share(results, task, name, product):
    """Of our operations a second in a product of matrices'."""
    return median_ratio(gigaflops(results, 'ours', task), gigaflops(results, name, product))


def input_share(results):
    """Of the time that a batch takes to come in a training step's."""
    return median(rates(results, 'ours', 'train')) / median(results['pipeline']['ours'])


def throughput_table(results, task):
    names = {'original': "the original lesson's code: eager, MXNet's own number of threads",
             'ours': f'**ours**: hybridized, {results["cores"]} threads',
             'zoo': "Gluon's model zoo, `resnet18_v1` (9 % more multiply-adds), hybridized",
             'fused': 'ours, exported and fused by oneDNN (`optimize_for`)',
             'onnx': f'ours, exported to onnxruntime {results["versions"]["onnxruntime"]}',
             'pytorch': f'PyTorch {results["versions"]["pytorch"]}, channels last, eager',
             'compiled': 'the same by `torch.compile`'}
    rows = [f'| {text} | {spread(rates(results, name, task))} | '
            f'{ratio(results, "ours", name, task):.2f} |'
            for name, text in names.items() if task in results['throughput'][name]]
    return '\n'.join([f'| {task} | images/s, median (range) | ours is … times as fast |',
                      '| --- | ---: | ---: |', *rows])


def matmul_table(results):
    names = {('ours', 'dot'): '`nd.dot` (OpenBLAS)',
             ('ours', 'dense'): '`nd.FullyConnected` (oneDNN)',
             ('pytorch', 'matmul'): "PyTorch's `@` (MKL)"}
    rows = [f'| {text} | {spread(gigaflops(results, *product))} | '
            f'{share(results, "train", *product):.2f} | '
            f'{share(results, "infer", *product):.2f} |'
            for product, text in names.items()]
    return '\n'.join([
        f'| product of two {SIDE} × {SIDE} matrices | 10⁹ operations/s, median (range) '
        '| our training as a share | our inference |',
        '| --- | ---: | ---: | ---: |', *rows])


def job_table(results):
    ours, original = results['jobs']['04'], results['jobs']['original']
    seconds = [job['seconds'] for job in ours]
    accuracies = ', '.join(f'{job["test_acc"]:.3f}' for job in ours)
    ended = (f'{original["test_acc"]:.3f}' if 'test_acc' in original
             else f'stopped at step {original["steps"]} of {original["of"]}')
    full = json.loads((ROOT / 'records' / 'original_lesson.json').read_text())
    (row,) = full['history']
    return '\n'.join([
        "| whole job, from Python's start to the end of the last evaluation | seconds "
        '| test accuracy on all 10,000 images |',
        '| --- | ---: | --- |',
        f"| the original lesson's own cells as printed | {original['seconds']:.0f} | {ended} |",
        f"| notebook 04's recipe, seeds {', '.join(map(str, SEEDS))} | {spread(seconds, 1)} "
        f'| {accuracies} |',
        f"| for comparison: its epoch on all cores, recorded on {full['date']} "
        f'| {row["time"]:.0f} | {row["test_acc"]:.3f} |'])


def pipeline_table(results):
    ours, single = results['pipeline']['ours'], results['pipeline']['one by one']
    return '\n'.join([
        f'| input at {SIZE} px | images/s, median (range) |', '| --- | ---: |',
        f'| `utils.load_data_fashion_mnist`, resized a batch at a time | {spread(ours)} |',
        f'| `transforms.Resize`, image by image | {spread(single)} |',
        f'| ours is … times as fast | {median(ours) / median(single):.1f} |',
        f'| ours, as a share of a training step | {input_share(results):.1%} |'])


def start_table(results):
    start = results['start']
    first = [point for point in results['scaling']
             if all(point[what] == results['base'][what] for what in BASE)][0]
    return '\n'.join([
        '| start-up | seconds, median (range) |', '| --- | ---: |',
        *(f'| `{name}`, in a new Python | {spread(values, 2)} |' for name, values in start.items()),
        f'| first step of ResNet-18, hybridization included | {first["first_step"]:.2f} |',
        f'| a later step | {BATCH / first["images_a_second"]:.2f} |'])


def scaling_table(results):
    rows = [f'| {point["cores"]} | {point["depth"]} | {point["size"]} | {point["batch"]} | '
            f'{point["images_a_second"]:.0f} | {point["megabytes"]:,.0f} |'
            for point in results['scaling']]
    return '\n'.join(['| cores | depth | side, px | batch | images/s | peak, MB |',
                      '| ---: | ---: | ---: | ---: | ---: | ---: |', *rows])


def budget_runs():
    """The tests of the recipe that won records/search_04.py, recorded at another time."""
    runs = json.loads((ROOT / 'records' / 'search_04.json').read_text())['runs']
    return [run for run in runs if 'test_acc' in run]


def budget_table():
    rows = [f'| {run["seed"]} | {run["seconds"]:.1f} | {run["test_acc"]:.3f} |'
            for run in budget_runs()]
    return '\n'.join(['| seed | seconds, whole job | test accuracy |', '| ---: | ---: | ---: |',
                      *rows])


def fast():
    """What benchmarks/fast.py recorded, at another time."""
    return json.loads((HERE / 'fast.json').read_text())


def fast_table():
    record = fast()
    rows = [f'| {run["seed"]} | {run["seconds"]:.1f} | {run["reached"]["0.85"]:.1f} '
            f'| {run["reached"]["0.9"]:.1f} | {run["test_acc"]:.4f} |' for run in record['runs']]
    beside, rates = record['beside'], [f'{rate:.0f}' for rate in record['rates']]
    return '\n'.join([
        f"Notebook 14's net and recipe, on {record['date']}: {record['machine']}, which trained "
        f"the lesson's net at {' and '.join(rates)} images/s before and after, and where notebook "
        f"{beside['notebook']}'s job took {beside['seconds']:.0f} s (test accuracy "
        f"{beside['test_acc']:.3f}). Accuracy is looked at after each epoch, with the clock "
        'stopped.', '',
        '| seed | seconds, whole job | until 0.85 | until 0.90 | test accuracy |',
        '| ---: | ---: | ---: | ---: | ---: |', *rows])


def suite_table():
    """What benchmarks/test_suite.py recorded, at another time: it takes as long as this."""
    suite = json.loads((HERE / 'test_suite.json').read_text())
    rows = [f'| {seconds:.0f} | {phase} of `{name}` |' for seconds, phase, name in suite['slowest']]
    return '\n'.join([
        f'On {suite["date"]}, by `{suite["command"]}`: {suite["minutes"]:.1f} minutes; '
        f'{suite["result"]}. The slowest items:', '',
        '| seconds | item |', '| ---: | --- |', *rows])


def draw_scaling(results):
    plt.style.use(ROOT / 'docs' / 'series.mplstyle')
    labels = {'cores': 'cores', 'size': 'side of the image (px)', 'batch': 'batch size',
              'depth': 'layers'}
    fig, axes = plt.subplots(2, len(VARIED), figsize=(12, 5.5), sharey='row', sharex='col')
    for column, what in enumerate(VARIED):
        points = [point for point in results['scaling'] if point['varied'] == what]
        for ax, key in zip(axes[:, column], ('images_a_second', 'megabytes'), strict=True):
            ax.plot([point[what] for point in points], [point[key] for point in points],
                    marker='o', color='black')
        axes[1, column].set(xlabel=labels[what], xticks=[point[what] for point in points])
    axes[0, 0].set(ylabel='training, images/s', yscale='log')
    axes[0, 0].yaxis.set_major_formatter('{x:.0f}')
    axes[1, 0].set(ylabel='peak memory (MB)', ylim=(0, None))
    fig.suptitle(f'ResNet-18 at 96 px, batch 64, {results["cores"]} cores; '
                 'each column varies one of them')
    fig.savefig(HERE / 'scaling.png')


def bars(results):
    """(what is asked, what came out, whether it holds)."""
    jobs = results['jobs']
    ours = [job['seconds'] for job in jobs['04']]
    accuracy = min(job['test_acc'] for job in jobs['04'])
    narrow = fast()
    checks = [
        ('training ≥ 1.0 × PyTorch', ratio(results, 'ours', 'pytorch', 'train'), 1.0),
        ("training ≥ 1.9 × the original code", ratio(results, 'ours', 'original', 'train'), 1.9),
        ('training ≥ 0.85 of `nd.dot`', share(results, 'train', 'ours', 'dot'), 0.85),
        ("training ≥ 0.85 of PyTorch's `@`",
         share(results, 'train', 'pytorch', 'matmul'), 0.85),
        ("training ≥ 0.85 of oneDNN's product", share(results, 'train', 'ours', 'dense'), 0.85),
        ('inference ≥ 1.0 × PyTorch', ratio(results, 'ours', 'pytorch', 'infer'), 1.0),
        ('inference ≥ 1.0 × the fused net', ratio(results, 'ours', 'fused', 'infer'), 1.0),
        ('training ≥ 1.0 × `torch.compile`', ratio(results, 'ours', 'compiled', 'train'), 1.0),
        ('inference by onnxruntime ≥ 1.0 × PyTorch',
         ratio(results, 'onnx', 'pytorch', 'infer'), 1.0),
        ('inference by onnxruntime ≥ 1.0 × `torch.compile`',
         ratio(results, 'onnx', 'compiled', 'infer'), 1.0),
        ('the same one by one ≥ 1.0 × PyTorch',
         ratio(results, 'onnx', 'pytorch', 'one by one'), 1.0),
        ('the same one by one ≥ 1.0 × `torch.compile`',
         ratio(results, 'onnx', 'compiled', 'one by one'), 1.0),
        ("the original job, stopped there or not, ≥ 10 × as long as ours",
         jobs['original']['seconds'] / median(ours), 10),
        ('least test accuracy of our jobs ≥ 0.85', accuracy, 0.85),
        ('the same of the best recipe for 75.1 s ≥ 0.88',
         min(run['test_acc'] for run in budget_runs()), 0.88),
        ("mean test accuracy of notebook 14's job ≥ 0.935",
         mean(run['test_acc'] for run in narrow['runs']), 0.935),
        ("it passes 0.85 ≥ 2 times as soon as notebook 04's job ends",
         narrow['beside']['seconds'] / max(run['reached']['0.85'] for run in narrow['runs']), 2)]
    rows = [(text, f'{value:.3f}' if value < 1 else f'{value:.2f}', value >= bar)
            for text, value, bar in checks]
    rows.append(('longest of our jobs ≤ 75 s', f'{max(ours):.1f} s', max(ours) <= 75))
    longest = max(run['seconds'] for run in budget_runs())
    rows.append(('longest of the best recipe ≤ 75.1 s', f'{longest:.1f} s', longest <= 75.1))
    rows.append(('input ≤ 3 % of a training step', f'{input_share(results):.1%}',
                 input_share(results) <= 0.03))
    return '\n'.join(['| bar | measured | holds |', '| --- | ---: | --- |',
                      *(f'| {text} | {value} | {"yes" if holds else "**no**"} |'
                        for text, value, holds in rows)])


def report(results):
    forward, first = forward_operations()
    versions = ', '.join(f'{name} {version}' for name, version in results['versions'].items())
    return f"""# Results

Written by `{results['command']}` on {results['date']}: {results['machine']};
{results['cores']} physical cores; {versions}. It took {results['minutes']:.1f} minutes.
What was tried, and what these numbers do and do not say: [README](README.md).

## The bars

{bars(results)}

## Training and inference

The lesson's ResNet-18, batches of {BATCH} at {SIZE} px, float32, {ROUNDS} rounds in turn. A
training round is `utils.train` on {STEPS} batches, with one batch for testing at its end; PyTorch
does the same work by a loop of its own. Inference is `utils.evaluate_accuracy` on {BATCHES}
batches; one by one, {BATCH} images. The images lie in memory, for all; each contender takes its
own number of threads.

{throughput_table(results, 'train')}

{throughput_table(results, 'infer')}

{throughput_table(results, 'one by one')}

## Beside a product of matrices

A multiply-add is two operations. An image costs {forward / 1e6:.0f} × 10⁶ forward; a training step
three times that, less {first / 1e6:.0f} × 10⁶ for the first layer, whose input needs no gradient.
Only convolutions and the dense layer count: BN, ReLU, pooling and the update take time as well.
Ours: {median(gigaflops(results, 'ours', 'train')):.0f} × 10⁹ operations/s in training,
{median(gigaflops(results, 'ours', 'infer')):.0f} × 10⁹ in inference.

{matmul_table(results)}

## Time to accuracy

{job_table(results)}

What 75.1 s buy, so long the lesson's epoch took on its GPU: the winner of `records/search_04.py`
({budget_runs()[0]["recipe"]}), recorded at another time.

{budget_table()}

{fast_table()}

## Input

{pipeline_table(results)}

## Scaling

![Training rate and peak memory of ResNets against cores, size, batch and depth](scaling.png)

The paper's ResNets from `resnet.py` on grey images, ten classes, SGD; one process for each row.

{scaling_table(results)}

## Start-up

{start_table(results)}

## `make test` from end to end

{suite_table()}
"""


def read_results():
    """The record of the last `make bench`; an old one calls the original lesson 'seed'."""
    results = json.loads((HERE / 'results.json').read_text())
    for part in (results['throughput'], results['jobs']):
        if 'seed' in part:
            part['original'] = part.pop('seed')
    return results


def write_report():
    """results.md, from the records."""
    text = report(read_results())
    with whole(HERE / 'results.md') as file:
        file.write(text)
    print(text)


def main(arguments):
    """Measures and reports, or only reports; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.bench',
                                     description='Measure for 20 to 30 minutes, and report.')
    parser.add_argument('report', nargs='?', choices=['report'], help='only write the report again')
    if parser.parse_args(arguments).report:
        write_report()
        return 0
    start = time.perf_counter()
    if not PYTORCH.is_file():
        sys.exit('PyTorch is not there: run this by `make bench`, which sets it up')
    version = subprocess.run([PYTORCH, '-c', 'import torch; print(torch.__version__)'],
                             capture_output=True, text=True, check=True).stdout.strip()
    results = {'cores': CORES, 'base': BASE, 'throughput': measure_throughput(),
               'pipeline': run('pipeline')[0], 'start': measure_start(),
               'scaling': measure_scaling(), 'jobs': measure_jobs()}
    results['minutes'] = (time.perf_counter() - start) / 60
    versions = {'onnxruntime': onnxruntime.__version__, 'pytorch': version}
    write(__file__, 'results', 'make bench', versions, **results)
    draw_scaling(results)
    write_report()
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
