"""tools/run_notebooks.py and tools/notebook.py on tiny notebooks."""
import gc
import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_env import FOREIGN

from tools import front_picture, notebook, run_notebooks
from tools.notebook import KERNELSPEC, LANGUAGE_INFO, ROOT, code_cells, read


@pytest.fixture
def root(tmp_path):
    """An empty repository."""
    (tmp_path / 'notebooks').mkdir()
    yield tmp_path
    # A kernel that died leaves a task whose destructor logs a traceback. If that happens within
    # another test's ast.parse, Python 3.11 stops with a SystemError (gh-106905).
    gc.collect()


def store(root, name, *cells):
    """Writes a notebook, with the metadata that a careless editor leaves; returns its path."""
    nb = new_notebook(cells=list(cells), metadata={'kernelspec': {'name': 'elsewhere',
                                                                  'display_name': 'Elsewhere'}})
    path = root / 'notebooks' / f'{name}.ipynb'
    nbformat.write(nb, path)
    return path


def run(root, *arguments):
    return run_notebooks.main(list(arguments), root)


def outputs(path):
    """The outputs of a notebook's code cells."""
    return [cell.outputs for cell in code_cells(read(path))]


def test_failure_is_reported_and_the_next_notebook_runs(root, capsys):
    before = store(root, '01_bad', new_code_cell('print(6 * 7)'), new_code_cell('1 / 0'),
                   new_code_cell('print(3)')).read_bytes()
    store(root, '02_good', new_markdown_cell('# Title'),
          new_code_cell("print('first')\nprint('  accuracy 0.86  ')\nprint()",
                        metadata={'tags': ['headline']}))

    assert run(root) == 1

    printed = capsys.readouterr().out
    assert "01_bad: FAILED, cell [2] '1 / 0': ZeroDivisionError: division by zero" in printed
    bad, good = printed.split('notebook')[1].splitlines()[1:3]
    assert bad.split()[0] == '01_bad' and bad.endswith('-  FAILED')
    assert good.split()[0] == '02_good' and good.endswith('  accuracy 0.86')
    assert 10 < int(good.split()[2]) < 1000  # MB
    assert outputs(root / 'build/01_bad.ipynb')[0][0].text == '42\n'
    assert outputs(root / 'build/01_bad.ipynb')[2] == []
    assert '42' in (root / 'build/01_bad.html').read_text('utf-8')
    assert 'accuracy 0.86' in (root / 'build/02_good.html').read_text('utf-8')
    assert (root / 'notebooks/01_bad.ipynb').read_bytes() == before


def test_each_headline_comes_at_once_with_the_time_to_come(root, capsys):
    for name in ('01_a', '02_b'):
        store(root, name, new_code_cell(f"print('result of {name}')",
                                        metadata={'tags': ['headline']}))
    (root / 'README.md').write_text('| notebook | question | minutes |\n| --- | --- | --- |\n'
                                    '| [a](notebooks/01_a.ipynb) | Why? | 0.5 |\n'
                                    '| [b](notebooks/02_b.ipynb) | How? | 1 |\n')
    assert run(root) == 0
    first, second, third, fourth = capsys.readouterr().out.splitlines()[:4]
    assert (first, third) == ('01_a: running, some 0.5 min …', '02_b: running, some 1 min …')
    assert second.startswith('01_a: result of 01_a (0.') and second.endswith(' min to come)')
    assert fourth.startswith('02_b: result of 02_b (0.') and fourth.endswith(' min)')


def test_time_to_come_follows_the_pace_so_far():
    done = [run_notebooks.Result('01_a', 3., '-', '', False)]
    expected = {'01_a': 1.5, '02_b': 2., '03_c': 0.5}
    assert run_notebooks.still_to_come(['02_b', '03_c'], done, expected) == 5
    assert run_notebooks.still_to_come(['02_b', '04_new'], done, expected) is None


def test_one_notebook_is_chosen_by_how_its_name_begins(root, capsys):
    store(root, '01_a', new_code_cell('1'))
    store(root, '02_b', new_code_cell('import os, sys\nprint(os.getcwd())\nprint(sys.executable)'))
    assert run(root, '02') == 0
    assert 'headline\n02_b' in capsys.readouterr().out
    assert [path.name for path in sorted((root / 'build').iterdir())] == ['02_b.html', '02_b.ipynb']
    # In its own folder, with this Python, whatever kernel the notebook names.
    folder, python = outputs(root / 'build/02_b.ipynb')[0][0].text.splitlines()
    assert folder == str(root / 'notebooks') and python == run_notebooks.sys.executable


def test_unknown_notebook_is_refused_with_the_names_there_are(root):
    store(root, '01_a')
    with pytest.raises(SystemExit, match=r"begins with '99'. There are:\n  01_a.ipynb"):
        run(root, '99')


def test_in_place_stores_what_is_the_same_everywhere(root):
    path = store(
        root, '01_a',
        new_code_cell("print('one', flush=True)\nprint('two')", execution_count=9,
                      metadata={'collapsed': True, 'tags': ['headline']}),
        new_code_cell('import ipywidgets\nipywidgets.interact(lambda x: None, x=3);'),
        new_code_cell('from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass'),
        new_code_cell('1 + 1'))

    assert run(root, '--in-place') == 0

    nb = nbformat.read(path, 4)
    assert nb.metadata == {'kernelspec': KERNELSPEC,
                           'language_info': LANGUAGE_INFO}
    assert [cell.execution_count for cell in nb.cells] == [1, 2, 3, 4]
    assert [cell.metadata for cell in nb.cells] == [{'tags': ['headline']}, {}, {}, {}]
    assert [output.text for output in nb.cells[0].outputs] == ['one\ntwo\n']
    assert nb.cells[1].outputs == nb.cells[2].outputs == []  # no widget, no progress bar
    assert nb.cells[3].outputs[0].data == {'text/plain': '2'}
    assert [p.name for p in (root / 'notebooks').iterdir()] == ['01_a.ipynb']
    assert not (root / 'build').exists()

    first = path.read_bytes()
    assert run(root, '--in-place') == 0
    assert path.read_bytes() == first


@pytest.mark.parametrize(('code', 'message'), [
    ("import sys\nprint('careful', file=sys.stderr)", 'wrote to stderr; mend what it warns of'),
    (r"print('10%\r20%')", 'wrote a carriage return'),
    ('1 / 0', 'ZeroDivisionError'),
])
def test_in_place_refuses_what_should_not_be_stored(root, capsys, code, message):
    path = store(root, '01_a', new_code_cell(code))
    before = path.read_bytes()
    assert run(root, '--in-place') == 1
    assert message in capsys.readouterr().out
    assert path.read_bytes() == before


def test_in_place_refuses_what_is_too_large_for_binder(root, capsys, monkeypatch):
    monkeypatch.setattr(run_notebooks, 'MAX_MB', 10)
    path = store(root, '01_a', new_code_cell('1'))
    before = path.read_bytes()
    assert run(root, '--in-place') == 1
    assert 'MB of memory; Binder wants at most 10' in capsys.readouterr().out
    assert path.read_bytes() == before


def test_memory_of_child_processes_counts(root, capsys):
    child = "import time; data = b'x' * 300_000_000; time.sleep(2)"
    store(root, '01_a', new_code_cell('import subprocess, sys\n'
                                      f'subprocess.run([sys.executable, "-c", "{child}"])'))
    assert run(root) == 0
    # The child's 300 million bytes are 286 MB as they are counted; the kernel alone is far below.
    assert 300 < int(capsys.readouterr().out.split('headline')[1].split()[2]) < 1000


def test_dead_kernel_is_reported(root, capsys):
    store(root, '01_a', new_code_cell('import os\nos._exit(1)'))
    assert run(root) == 1
    assert 'the kernel died, most often for want of memory' in capsys.readouterr().out


def test_variables_of_another_python_change_no_output(root, monkeypatch):
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    store(root, '01_a', new_code_cell(
        f'import os\nprint([n for n, v in {FOREIGN}.items() if os.environ.get(n) == v])'))
    assert run(root, '--in-place') == 0
    assert outputs(root / 'notebooks/01_a.ipynb')[0][0].text == '[]\n'


def test_output_that_no_notebook_can_hold_is_reported_and_the_next_runs(root, capsys):
    store(root, '01_bad', new_code_cell('from IPython.display import publish_display_data as show\n'
                                        "show({'image/png': 3})"))
    store(root, '02_good', new_code_cell('1'))
    assert run(root) == 1
    printed = capsys.readouterr().out
    assert '01_bad: FAILED, cell [1]' in printed and 'an output that a notebook cannot' in printed
    assert (root / 'build/02_good.html').is_file()


def test_what_is_no_notebook_is_reported_and_the_next_runs(root, capsys):
    (root / 'notebooks/01_bad.ipynb').write_text('<<<<<<< HEAD\n{"cells": []}\n')
    (root / 'notebooks/._02_good.ipynb').write_bytes(b'\x00\x05\x16\x07')  # as macOS leaves it
    store(root, '02_good', new_code_cell('1'))
    assert run(root) == 1
    assert '01_bad.ipynb is not a valid notebook: ' in capsys.readouterr().out
    assert sorted(path.name for path in (root / 'build').iterdir()) == ['02_good.html',
                                                                       '02_good.ipynb']


def test_names_of_a_notebook_leave_the_search_path_as_it_was(root, monkeypatch):
    monkeypatch.setattr(notebook, 'NOTEBOOKS', root / 'notebooks')
    store(root, '01_a', new_code_cell("import sys; sys.path.insert(0, '..')\nanswer = 42"))
    before = sys.path[:]
    assert notebook.notebook_names('01_a', ())['answer'] == 42
    assert sys.path == before


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--chek', 2), ('a', 2)])
def test_help_and_unknown_arguments_take_no_picture(monkeypatch, argument, status):
    monkeypatch.setattr(front_picture, 'stale', None)
    with pytest.raises(SystemExit) as end:
        front_picture.main([argument])
    assert end.value.code == status


JOBS = """
from pathlib import Path

from tools.record import write_jobs


def train(accuracy):
    print('trained', accuracy, flush=True)
    return [{'step': 1, 'loss': 1., 'train_acc': accuracy, 'test_acc': accuracy, 'time': 1.}]


if __name__ == '__main__':
    jobs = {'low': (0.1,), 'high': (0.9,)}
    write_jobs(Path(__file__), train, jobs, epochs=1)
"""


def test_a_record_of_jobs_goes_on_with_what_is_missing(tmp_path):
    script, record = tmp_path / 'jobs.py', tmp_path / 'jobs.json'
    script.write_text(JOBS)

    def run():
        env = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
        return subprocess.run([sys.executable, script], env=env, capture_output=True, text=True,
                              check=True).stdout

    assert 'low: training error 90 %, test error 90 %' in run()
    first = json.loads(record.read_text())
    assert first['epochs'] == 1 and list(first['runs']) == ['low', 'high']
    row = {'step': 1, 'loss': 1., 'train_acc': 0.9, 'test_acc': 0.9}
    assert first['runs']['high'] == [row]
    del first['runs']['high']
    first['runs']['of another stage'], first['best'] = [row], 'low'
    record.write_text(json.dumps(first))
    assert 'trained 0.1' not in run()
    second = json.loads(record.read_text())
    assert list(second['runs']) == ['low', 'high', 'of another stage'] and second['best'] == 'low'
