"""nbval's comparison bites: a stored output that has changed fails, and nothing hides it."""
import copy
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from rules import ROOT, code_cells
from test_env import FOREIGN

SANITIZERS = ROOT / 'tests' / 'nbval_sanitize.cfg'
LINES = ['Epoch 0. Loss: 0.431, Train acc 0.85, Test acc 0.85, Time 75.1 sec',
         '107.2 images/s, <object at 0x7f11acb04000>, <Figure size 640x480 with 1 Axes>']
CODE = '\n'.join(f'print({line!r})' for line in LINES)
STORED = '\n'.join([*LINES, ''])


def failures(folder, *options, **environment):
    """Runs the notebooks of `folder` under nbval as `make test` does; returns what fails."""
    command = [sys.executable, '-m', 'pytest', str(folder), '-p', 'no:cacheprovider', '-q', '-rf',
               '--rootdir', str(folder), '--nbval', '--nbval-current-env',
               '--nbval-sanitize-with', str(SANITIZERS), *options]
    # The copies find utils.py and resnet.py although they lie in another folder.
    env = {**os.environ, 'PYTHONPATH': str(ROOT), **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return set(re.findall(r'^FAILED (?:.*/)?(\w+\.ipynb::Cell \d+)', done.stdout, re.MULTILINE))


def cell(stored, count):
    """A cell that prints both lines, and is stored with the output `stored`."""
    output = new_output('stream', name='stdout', text=stored)
    return new_code_cell(CODE, execution_count=count, outputs=[output])


CHANGES = {  # the stored text, what stands in its place, whether nbval must notice
    'nothing': ('', '', False),
    'seconds': ('Time 75.1', 'Time 8.0', False),
    'speed': ('107.2', '1,250', False),
    'address': ('0x7f11acb04000', '0x7f22acb04111', False),
    'figure size': ('640x480', '900x300', False),
    'loss': ('0.431', '0.432', True),
    'accuracy beside the seconds': ('Test acc 0.85', 'Test acc 0.86', True),
    'epoch': ('Epoch 0', 'Epoch 1', True),
    'words': ('Train', 'Test', True),
    'no seconds': (', Time 75.1 sec', '', True),
}


def test_changed_numbers_fail_and_changed_times_pass(tmp_path):
    assert all(old in STORED for old, _, _ in CHANGES.values())
    cells = [cell(STORED.replace(old, new, 1), count)
             for count, (old, new, _) in enumerate(CHANGES.values(), start=1)]
    nbformat.write(new_notebook(cells=cells), tmp_path / 'changes.ipynb')
    failed = failures(tmp_path)
    noticed = {name: f'changes.ipynb::Cell {i}' in failed for i, name in enumerate(CHANGES)}
    assert noticed == {name: notice for name, (_, _, notice) in CHANGES.items()}


def compared_number(code):
    """The first output of a cell that nbval compares and that has a digit; None without."""
    if 'nbval-ignore-output' in code.metadata.get('tags', []):
        return None
    return next((output for output in code.outputs
                 if output.output_type == 'stream' and re.search(r'\d', output.text)), None)


def shortest_start():
    """The notebook that prints a number soonest, cut behind that cell."""
    starts = []
    for path in sorted((ROOT / 'notebooks').glob('*.ipynb')):
        nb = nbformat.read(path, as_version=4)
        for number, code in enumerate(code_cells(nb), start=1):
            if compared_number(code):
                nb.cells = nb.cells[:nb.cells.index(code) + 1]
                starts.append((number, path.name, nb))
                break
    return min(starts)[2] if starts else pytest.skip('no notebook prints a number')


def test_changed_output_of_a_real_notebook_fails(tmp_path):
    for name in ('utils.py', 'resnet.py', 'drawings.py', 'docs', 'data', 'records'):
        (tmp_path / name).symlink_to(ROOT / name)
    folder = tmp_path / 'notebooks'
    folder.mkdir()
    nb = shortest_start()
    nbformat.write(nb, folder / 'same.ipynb')
    changed = copy.deepcopy(nb)
    output = compared_number(changed.cells[-1])
    output.text = re.sub(r'\d', lambda digit: str(9 - int(digit[0])), output.text, count=1)
    nbformat.write(changed, folder / 'changed.ipynb')
    assert failures(folder) == {f'changed.ipynb::Cell {len(code_cells(nb)) - 1}'}


def test_variables_of_another_python_change_no_output(tmp_path):
    source = ('import os, warnings\nwarnings.warn("seen by default", PendingDeprecationWarning)\n'
              f'print([n for n, value in {FOREIGN}.items() if os.environ.get(n) == value])')
    stored = new_output('stream', name='stdout', text='[]\n')
    nb = new_notebook(cells=[new_code_cell(source, execution_count=1, outputs=[stored])])
    nbformat.write(nb, tmp_path / 'variables.ipynb')
    assert failures(tmp_path, '-p', 'conftest', **FOREIGN) == set()
