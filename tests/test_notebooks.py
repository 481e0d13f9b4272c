"""The rules of rules.py, applied to every notebook, and a breach of each to show that it bites."""
import ast
import os
import subprocess
import sys
from collections import Counter

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import (
    MAX_BYTES,
    ROOT,
    RULES,
    anchors,
    broken_links,
    count_code_lines,
    kept_definitions,
    notebook_definitions,
    rendered,
)

from tools.notebook import KERNELSPEC, LANGUAGE_INFO, WIDGET_VIEW, code_cells, read
from tools.notebook import NOTEBOOKS as FOLDER

NOTEBOOKS = sorted(FOLDER.glob('*.ipynb'))
DOCUMENTS = sorted([*ROOT.glob('*.md'), *ROOT.glob('data/*/*.md'), *ROOT.glob('records/*.md'),
                    *ROOT.glob('benchmarks/*.md'), *ROOT.glob('docs/*.md'),
                    *ROOT.glob('assignments/*.md')])


def name(path_or_rule):
    """How a parameter is named in pytest's list."""
    return getattr(path_or_rule, 'stem', None) or path_or_rule.__name__


@pytest.mark.parametrize('rule', RULES, ids=name)
@pytest.mark.parametrize('path', NOTEBOOKS, ids=name)
def test_notebook_keeps_rule(path, rule):
    problems = list(rule(read(path), path))
    assert not problems, '\n'.join([rule.__doc__, *problems])


@pytest.mark.parametrize('path', NOTEBOOKS, ids=name)
def test_our_modules_win_over_others_of_the_same_name(path, tmp_path):
    modules = [file.relative_to(ROOT) for folder in (ROOT, ROOT / 'scripts')
               for file in folder.glob('*.py')]
    for module in modules:
        for copy in (tmp_path / 'series' / module, tmp_path / 'foreign' / module.name):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()
    (tmp_path / 'series' / 'notebooks').mkdir()
    lines = [line for cell in code_cells(read(path)) for line in cell.source.splitlines()
             if 'sys.path' in line]
    assert lines
    for line in lines:
        names = [file.stem for file in modules
                 if file.parent.name == '' or 'scripts' in line]
        done = subprocess.run(
            [sys.executable, '-S', '-c', f'{line}\nimport importlib.util as util\n'
             f'print(*(util.find_spec(name).origin for name in {names}), sep="\\n")'],
            cwd=tmp_path / 'series' / 'notebooks', text=True, check=True, stdout=subprocess.PIPE,
            env={**os.environ, 'PYTHONPATH': str(tmp_path / 'foreign')})
        assert 'utils' in names and 'foreign' not in done.stdout


def test_each_network_is_taught_in_one_notebook():
    taught = Counter(defined for path in NOTEBOOKS
                     for defined, _ in notebook_definitions(read(path)))
    kept = [defined for defined, _ in kept_definitions()]
    wrong = {n: taught[n] for n in kept if not n.startswith('_') and taught[n] != 1}
    assert not wrong, f'in resnet.py, but not defined exactly once in the notebooks: {wrong}'


@pytest.mark.parametrize('module', ['resnet.py', 'utils.py'])
def test_public_names_have_docstrings(module):
    tree = ast.parse((ROOT / module).read_text('utf-8'))
    bare = [node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))
            and not node.name.startswith('_') and not ast.get_docstring(node)]
    assert not bare, f'without a docstring: {bare}'


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_have_no_broken_links(path):
    assert not list(broken_links(rendered(path.read_text('utf-8')), path))


# ---------------------------------------------------------------------------------------------
# Each rule bites: a notebook that keeps them all, and ways to spoil it

TEXT = """# Why does it work?

[![Open on Binder](https://mybinder.org/badge_logo.svg)](https://mybinder.org/v2/gh/o/r/main?labpath=notebooks%2F01_good.ipynb)

## You will be able to

- see
- hear
- say

See [below](#Check-yourself) and [the data](data.txt).
"""
CLOSING = """## Check yourself

1. One? <details><summary>Why?</summary>Yes.</details>
2. Two? <details><summary>Why?</summary>Yes.</details>
3. Three? <details><summary>Why?</summary>Yes.</details>

## Takeaways

- seen
- heard
- said

## Exercises

1. Go on. <details><summary>Hint</summary>Far.</details>

## References

- He et al., arXiv:1512.03385
"""
FIGURE = '**Figure 1.** ' + 'Words that tell what the picture shows. ' * 3
START = "%matplotlib inline\nimport sys\nsys.path.insert(0, '..')\nimport utils"


@pytest.fixture
def good(tmp_path):
    """A notebook that keeps every rule, as a pair (notebook, path)."""
    (tmp_path / 'data.txt').touch()
    picture = new_output('display_data', {'image/png': 'aGVsbG8=', 'text/plain': '<Figure>'})
    nb = new_notebook(
        cells=[
            new_markdown_cell(TEXT),
            new_code_cell(START, execution_count=1),
            new_code_cell('print(1)', execution_count=2,
                          outputs=[new_output('stream', name='stdout', text='1\n')]),
            new_code_cell('plot()', execution_count=3, outputs=[picture]),
            new_markdown_cell(FIGURE),
            new_markdown_cell(CLOSING),
            *(cell for number in (4, 5, 6) for cell in (
                new_markdown_cell('**Predict.** What?'),
                new_code_cell('a = 1', execution_count=number),
                new_markdown_cell('<details><summary>Answer</summary>That.</details>'))),
        ],
        metadata={'kernelspec': KERNELSPEC, 'language_info': LANGUAGE_INFO},
    )
    path = tmp_path / '01_good.ipynb'
    nbformat.write(nb, path)
    return nb, path


def output(kind, **fields):
    """A breach: the second code cell has this output."""
    def spoil(nb, path):
        nb.cells[2].outputs = [new_output(kind, **fields)]
    return spoil


def printed(text):
    """A breach: the second code cell has printed this."""
    return output('stream', name='stdout', text=text)


def source(index, text):
    """A breach: the cell has this source."""
    def spoil(nb, path):
        nb.cells[index].source = text
    return spoil


def replaced(index, old, new):
    """A breach: in the cell, `old` has become `new`."""
    def spoil(nb, path):
        assert old in nb.cells[index].source
        nb.cells[index].source = nb.cells[index].source.replace(old, new)
    return spoil


def tagged(*tags):
    """A breach: the second code cell has these tags."""
    def spoil(nb, path):
        nb.cells[2].metadata['tags'] = list(tags)
    return spoil


def swap_counts(nb, path):
    nb.cells[1].execution_count, nb.cells[2].execution_count = 2, 1


def forget_count(nb, path):
    nb.cells[3].execution_count = None


def clear_outputs(nb, path):
    for index in (1, 2, 3):
        nb.cells[index].outputs = []


def other_kernel(nb, path):
    nb.metadata['kernelspec'] = dict(KERNELSPEC, display_name='my venv')


def widget_state(nb, path):
    nb.metadata['widgets'] = {}


def collapsed_cell(nb, path):
    nb.cells[2].metadata['collapsed'] = True


def pad_file(nb, path):
    path.write_bytes(b' ' * (MAX_BYTES + 1))


def copy_id(nb, path):
    path.write_text(path.read_text('utf-8').replace(nb.cells[2].id, nb.cells[3].id), 'utf-8')


def drop_description(nb, path):
    del nb.cells[4]


def redefine(nb, path):
    """Defines the first class of resnet.py in another way."""
    first = kept_definitions()[0][0]
    nb.cells[2].source = f'class {first}:\n    """Another."""'


def change_table(nb, path):
    """Has another ORDERS than resnet.py."""
    nb.cells[2].source = 'ORDERS = {}'


BREACHES = [
    ('rule_cells_ran_in_order', swap_counts),
    ('rule_cells_ran_in_order', forget_count),
    ('rule_has_outputs', clear_outputs),
    ('rule_no_errors', output('error', ename='E', evalue='', traceback=[])),
    ('rule_no_warnings', output('stream', name='stderr', text='Warning')),
    ('rule_no_widget_placeholders', output('display_data', data={WIDGET_VIEW: {}})),
    ('rule_no_widget_placeholders',
     output('display_data', data={'text/plain': 'interactive(children=(…))'})),
    ('rule_no_progress_debris', printed(' 10%\r 20%')),
    ('rule_no_machine_paths', printed('saved to /root/x')),
    ('rule_no_machine_paths', printed("File 'C:\\Users\\me'")),
    ('rule_no_machine_paths', printed('lib/python3.11/site-packages/mxnet')),
    ('rule_no_machine_paths', source(2, "open('/tmp/x')")),
    ('rule_no_metadata_noise', other_kernel),
    ('rule_no_metadata_noise', widget_state),
    ('rule_no_metadata_noise', collapsed_cell),
    ('rule_size', pad_file),
    ('rule_unique_ids', copy_id),
    ('rule_tags', tagged('nbval-skip')),
    ('rule_tags', tagged('raises-exception')),
    ('rule_tags', tagged('nbval-ignore-output')),
    ('rule_tags', source(2, '# NBVAL_IGNORE_OUTPUT\nprint(1)')),
    ('rule_title', replaced(0, 'work?', 'work')),
    ('rule_title', replaced(0, '# Why', '## Why')),
    ('rule_title', replaced(5, '## Takeaways', '# Takeaways')),
    ('rule_binder_badge', replaced(0, '01_good', '02_other')),
    ('rule_binder_badge', replaced(0, 'mybinder.org', 'example.org')),
    ('rule_objectives_and_takeaways', replaced(0, '## You', '### You')),
    ('rule_objectives_and_takeaways', replaced(5, '- said\n', '')),
    ('rule_objectives_and_takeaways', replaced(0, '- say', '- say\n- a\n- b\n- c')),
    ('rule_check_yourself', replaced(5, 'Check yourself', 'Questions')),
    ('rule_check_yourself', replaced(5, CLOSING.splitlines()[4], '3. Three?')),
    ('rule_check_yourself', replaced(5, '1. One? <details>', '1. One? <details open>')),
    ('rule_check_yourself', replaced(5, 'Yes.</details>\n\n', 'Yes.\n\n')),
    ('rule_exercises_and_references', replaced(5, CLOSING.splitlines()[14], '')),
    ('rule_exercises_and_references', replaced(5, '1512.03385', '')),
    ('rule_predict_then_run', source(6, 'What?')),
    ('rule_predict_then_run', source(8, 'That.')),
    ('rule_predict_then_run', source(6, '**Predict.** What? <summary>Answer</summary>')),
    ('rule_hints', replaced(5, '<details><summary>Hint</summary>Far.</details>', '')),
    ('rule_first_code_cell', source(1, 'import utils')),
    ('rule_short_code', source(2, 'a = 1\n' * 16)),
    ('rule_short_code', source(2, 'def f():\n' + '    a = 1\n' * 40)),
    ('rule_labels_leave_the_batch',
     source(2, "x, y = 1, 2\nfor x, y, text in ((0, 0, 'a'), (1, 1, 'b')):\n    print(text)")),
    ('rule_figures_described', drop_description),
    ('rule_figures_described', source(4, '**Figure 1.** Too short.')),
    ('rule_figures_described', source(4, FIGURE.replace('**Figure', 'Figure'))),
    ('rule_links', replaced(0, 'data.txt', 'missing.txt')),
    ('rule_links', replaced(0, '#Check-yourself', '#No-such-heading')),
    ('rule_same_as_kept', redefine),
    ('rule_same_as_kept', change_table),
]


@pytest.mark.parametrize('rule', RULES, ids=name)
def test_good_notebook_keeps_rule(rule, good):
    assert list(rule(*good)) == []


@pytest.mark.parametrize(('rule_name', 'spoil'), BREACHES)
def test_rule_bites(rule_name, spoil, good):
    rule = next(rule for rule in RULES if rule.__name__ == rule_name)
    spoil(*good)
    assert list(rule(*good))


def test_every_rule_has_a_breach():
    assert {rule.__name__ for rule in RULES} == {rule_name for rule_name, _ in BREACHES}


@pytest.mark.parametrize('spoil', [
    tagged('nbval-ignore-output', 'timing'),
    tagged('nbval-ignore-output', 'headline', 'versions'),
])
def test_ignored_outputs_are_allowed_with_a_reason(spoil, good):
    spoil(*good)
    assert all(not list(rule(*good)) for rule in RULES)


def test_ignored_output_is_allowed_with_an_assert(good):
    nb, path = good
    tagged('nbval-ignore-output')(nb, path)
    nb.cells[2].source = '%time x = 1\nassert x < 2'
    assert all(not list(rule(nb, path)) for rule in RULES)


def test_count_code_lines_leaves_out_comments_blanks_and_docstrings():
    text = 'def f():\n    """One\n    two."""\n\n    # three\n    return (1,\n            2)\n'
    assert count_code_lines(text) == 3


def test_anchors_of_a_document_are_those_of_github(tmp_path):
    path = tmp_path / 'README.md'
    path.write_text("# What's here?\n\n## Two commands\n", encoding='utf-8')
    assert anchors(path) == {'whats-here', 'two-commands'}
