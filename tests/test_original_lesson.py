"""The cells of the lesson that the series grew from run unchanged, and print what it shows."""
import ast
import json
import os
import re
import subprocess
import sys

import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, nd
from rules import ROOT

import resnet

CELLS = re.split(r'^# %% In \[\d\]\n', (ROOT / 'tests/original_lesson.py').read_text('utf-8'),
                 flags=re.MULTILINE)[1:]
STAGES = ['Block 1 output: (4, 64, 45, 45)',
          'Block 2 output: (4, 64, 22, 22)',
          'Block 3 output: (4, 128, 11, 11)',
          'Block 4 output: (4, 256, 6, 6)',
          'Block 5 output: (4, 512, 3, 3)',
          'Block 6 output: (4, 10)']
START = re.compile(r'Start training on  [cg]pu\(0\)')
EPOCH = re.compile(r'Epoch 0\. Loss: \d+\.\d{3}, Train acc [01]\.\d{2}, Test acc [01]\.\d{2}, '
                   r'Time \d+\.\d sec')

# Runs cells from stdin as IPython does, each line that is an expression at the end of a cell
# shown as Out[n]. Only the number of images is smaller, as soon as a cell has imported utils.
KERNEL = """
import ast, functools, json, sys
space = {'__name__': '__main__'}
for number, source in enumerate(json.load(sys.stdin), start=1):
    statements = ast.parse(source).body
    for statement in statements:
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), f'In [{number}]', 'eval'), space)
            if statement is statements[-1] and number < 6:
                print(f'Out[{number}]: {value}')
        else:
            exec(compile(ast.Module([statement], []), f'In [{number}]', 'exec'), space)
        if 'utils' in space and not hasattr(space['utils'], 'whole'):
            utils = space['utils']
            utils.whole = utils.load_data_fashion_mnist
            utils.load_data_fashion_mnist = functools.partial(
                utils.whole, train_size=128, test_size=64)
"""


@pytest.fixture(scope='module')
def lesson():
    """The lesson in a fresh Python in notebooks/, without help in finding utils."""
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    return subprocess.run([sys.executable, '-c', KERNEL], input=json.dumps(CELLS), text=True,
                          cwd=ROOT / 'notebooks', env=env, capture_output=True, timeout=300)


def test_the_lesson_has_its_six_cells():
    assert len(CELLS) == 6
    assert [len(ast.parse(cell).body) for cell in CELLS] == [3, 4, 3, 1, 4, 12]


def test_the_lessons_cells_print_what_the_lesson_shows(lesson):
    assert lesson.returncode == 0, lesson.stderr
    *shapes, start, epoch = lesson.stdout.splitlines()
    assert shapes == ['Out[2]: (4, 3, 6, 6)', 'Out[3]: (4, 8, 3, 3)', *STAGES]
    assert START.fullmatch(start) and EPOCH.fullmatch(epoch)


def lesson_classes():
    space = {}
    for number in (1, 4):
        exec(CELLS[number - 1], space)
    return space


def test_our_net_computes_what_the_lessons_net_computes():
    mx.random.seed(0)
    theirs, ours = lesson_classes()['ResNet'](10), resnet.ResNet(10)
    x = nd.random.uniform(shape=(2, 1, 96, 96))
    for net in (theirs, ours):
        net.initialize(mx.init.Xavier())
        net(x)
    for source, target in zip(theirs.collect_params().values(), ours.collect_params().values(),
                            strict=True):
        target.set_data(source.data())
    assert np.allclose(ours(x).asnumpy(), theirs(x).asnumpy(), rtol=1e-4, atol=1e-5)
    with autograd.record():
        assert np.allclose(ours(x).asnumpy(), theirs(x).asnumpy(), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope='module')
def recorded():
    return json.loads((ROOT / 'records/original_lesson.json').read_text('utf-8'))


def test_recorded_run_printed_what_the_lesson_shows(recorded):
    *shapes, start, epoch = recorded['printed']
    assert shapes == STAGES
    assert START.fullmatch(start) and EPOCH.fullmatch(epoch)


def test_recorded_history_is_what_was_printed(recorded):
    row, = recorded['history']
    assert recorded['printed'][-1] == (
        f'Epoch {row["epoch"]}. Loss: {row["loss"]:.3f}, Train acc {row["train_acc"]:.2f}, '
        f'Test acc {row["test_acc"]:.2f}, Time {row["time"]:.1f} sec')


def test_recorded_run_is_the_lessons_recipe_in_full(recorded):
    row, = recorded['history']
    assert row['epoch'] == 0
    assert row['step'] == -(-60_000 // 64)
    assert row['learning_rate'] == 0.05
    for accuracy, images in ((row['train_acc'], 60_000), (row['test_acc'], 10_000)):
        assert accuracy * images == pytest.approx(round(accuracy * images), abs=1e-6)


def test_recorded_run_says_where_it_comes_from(recorded):
    # Records keep the command of their day, which may be from before records/ was there.
    assert recorded['command'] in ('python -m records.original_lesson',
                                   'python benchmarks/seed_recipe.py')
    assert (ROOT / 'records/original_lesson.py').is_file()
    assert re.fullmatch(r'\d{4}-\d{2}-\d{2}', recorded['date'])
    assert 'OMP_NUM_THREADS=' in recorded['machine']
    assert recorded['versions']['mxnet'] == mx.__version__
