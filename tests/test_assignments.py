"""The assignments: the release, the tests against right and wrong solutions, and nbgrader itself.

Wrong solutions run in this process, cell by cell. nbgrader grades a small class of students from
end to end: one with our solutions, one with nothing done, a mixed one, one with odd files, one
that cannot be read, and, in a second call, one with trouble. Files and folders: test_fuzz_grading.
"""
import contextlib
import csv
import functools
import json
import os
import re
import subprocess
import sys
import threading
from unittest import mock

import utils  # noqa: F401  before mxnet, for its threads

import nbformat
import numpy as np
import pytest
from matplotlib import pyplot as plt
from rules import MACHINE_PATH, broken_links, definitions, kept_definitions, rendered
from solutions import ALTERNATIVES, HALF, WRONG

from scripts.files import locked
from tools import course
from tools.course import COURSE
from tools.notebook import KERNELSPEC, LANGUAGE_INFO, ROOT, code_cells, markdown

SOURCE, RELEASE = COURSE / 'source' / 'resnet', COURSE / 'release' / 'resnet'
RELEASE_ZH = COURSE / 'release_zh' / 'resnet'
NAMES = course.known_notebooks()
CODING = NAMES[1:]


def settings(cell):
    """What nbgrader knows of a cell."""
    return cell.metadata.get('nbgrader', {})


def is_test(cell):
    return cell.cell_type == 'code' and settings(cell).get('points', 0) > 0


def is_check(cell):
    """Checks have no points; as graded cells, they are what Validate looks at."""
    return cell.cell_type == 'code' and settings(cell).get('points') == 0


def read(name, folder=SOURCE):
    return nbformat.read(folder / f'{name}.ipynb', as_version=4)


def points(name, kind):
    """The sum of a notebook's points: kind 'code' by tests, 'markdown' by hand."""
    return sum(settings(c).get('points', 0) for c in read(name).cells if c.cell_type == kind)


TESTS = {name: [c.id for c in read(name).cells if is_test(c)] for name in NAMES}
CHECKS = {name: [c.id for c in read(name).cells if is_check(c)] for name in NAMES}
PLACE = re.compile(r'Read (\d\d), section (\d+)')


def missing_in(message):
    """Which of the three things a failure's message does not name."""
    return [what for what, pattern in (
        ('what was expected', r'[Ee]xpected\b.* \S'), ('what was found', r'[Ff]ound\b:? \S'),
        ('where to read', PLACE)) if not re.search(pattern, message)]


# ---------------------------------------------------------------------------------------------
# The files


def test_release_is_not_stale(graded):
    fresh = graded[1] / 'release' / 'resnet'  # made from the source before grading
    assert [p.name for p in sorted(fresh.iterdir())] == [p.name for p in sorted(RELEASE.iterdir())]
    for path in fresh.iterdir():
        assert path.read_bytes() == (RELEASE / path.name).read_bytes(), (
            f'{path.name}: run `make assignments`')


def test_what_the_notebooks_read_lies_beside_them_in_both_languages():
    for folder in (RELEASE, RELEASE_ZH):
        beside = [path for path in folder.iterdir() if path.suffix != '.ipynb']
        assert [path.name for path in beside] == ['clothes.npz']
        assert beside[0].read_bytes() == (SOURCE / 'clothes.npz').read_bytes()


def test_the_clothes_are_those_of_the_series():
    images, labels = utils.read_fashion_mnist('train', 2000)
    given = np.load(SOURCE / 'clothes.npz')
    assert np.array_equal(given['labels'], labels) and given['images'].dtype == np.uint8
    assert np.array_equal(given['images'],
                          images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).round())


# Where the errors of notebook 6 were recorded: the record, and its runs' name without the seed.
RECORDED = {
    'plain-18': ('seeds_04', 'plain-18'), 'ResNet-18': ('seeds_04', 'ResNet-18'),
    'identity, rate 0.02': ('seeds_06', 'identity, learning rate 0.02'),
    'shortcut-only gate, rate 0.02': ('seeds_06', 'shortcut-only gate, learning rate 0.02'),
    'original order, rate 0.1': ('seeds_06', 'identity, learning rate 0.1'),
    'full pre-activation, rate 0.1': ('seeds_06', 'full pre-activation, learning rate 0.1'),
    'VGG': ('seeds_08', 'VGG, learning rate 0.05'),
    'ResNet': ('seeds_08', 'ResNet, learning rate 0.05'),
    'ResNet-20, ten epochs': ('long_01', 'ResNet-20'),
    'ResNet-56, ten epochs': ('long_01', 'ResNet-56'),
    'ResNet-14, rate 0.03': ('after_12', 'ResNet, as before, rate 0.03'),
    'ResNet-14, rate 0.1': ('after_12', 'ResNet, as before, rate 0.1'),
    'ResNet-14, rate 0.3': ('after_12', 'ResNet, as before, rate 0.3'),
    'SE, rate 0.1': ('after_12', 'SE, as before, rate 0.1'),
    'inverted residual, rate 0.3': ('after_12', 'inverted residual, as before, rate 0.3'),
}


def test_the_errors_of_notebook_6_are_the_recorded_ones():
    space = {}
    for cell in code_cells(read('6_better_or_broken')):
        if cell.id in ('difference_table', 'pairs'):
            exec(cell.source, space)
    assert list(space['errors']) == list(RECORDED)
    for name, (record, run) in RECORDED.items():
        runs = json.loads((ROOT / 'records' / f'{record}.json').read_text('utf-8'))['runs']
        by_seed = (dict(enumerate(runs[run])) if record == 'seeds_04' else
                   {int(key.rsplit(' ', 1)[1]): rows for key, rows in runs.items()
                    if key.rpartition(', seed ')[0] == run})
        assert space['errors'][name] == {
            seed: round(100 * (1 - rows[-1]['test_acc']), 2) for seed, rows in by_seed.items()}
    assert {name for pair in space['pairs'] for name in pair} == set(RECORDED)


def test_the_pairs_of_notebook_6_have_every_verdict():
    space = {}
    run_cells('6_better_or_broken', {}, [], space)
    found = [space['verdict'](space['errors'][a], space['errors'][b]) for a, b in space['pairs']]
    assert found == ['b', 'open', 'b', 'open', 'open', 'b', 'open', 'no answer']


@pytest.mark.parametrize('name', NAMES)
def test_chinese_release_is_not_stale_and_differs_in_its_words_only(name):
    english, chinese = read(name, RELEASE), read(name, RELEASE_ZH)
    assert chinese == course.in_chinese(RELEASE / f'{name}.ipynb'), 'run `make assignments`'
    for ours, theirs in zip(english.cells, chinese.cells, strict=True):
        assert {**ours, 'source': ''} == {**theirs, 'source': ''}
        if ours.cell_type == 'code':
            assert ours.source == theirs.source
        else:
            assert re.search('[\u4e00-\u9fff]', theirs.source)
            assert 'Rubric' not in theirs.source and '评分标准' not in theirs.source


def hidden_lines(cell):
    """The lines that must not be released: solutions and hidden tests."""
    inside = False
    for line in cell.source.splitlines():
        if re.search('BEGIN (SOLUTION|HIDDEN TESTS)', line):
            inside = True
        elif re.search('END (SOLUTION|HIDDEN TESTS)', line):
            inside = False
        elif inside or (cell.cell_type == 'markdown' and settings(cell).get('solution')):
            yield line.strip()


@pytest.mark.parametrize('name', NAMES)
def test_release_holds_no_solution_and_no_hidden_test(name):
    released = '\n'.join(cell.source for cell in read(name, RELEASE).cells)
    for word in ('HIDDEN', 'SOLUTION', 'Rubric', 'grader.', 'import grader', '_test'):
        assert word not in released
    given = {line.strip() for c in read(name).cells if settings(c) and not settings(c)['solution']
             and not is_test(c) for line in c.source.splitlines()}
    secret = [line for c in read(name).cells for line in hidden_lines(c)
              if len(line) > 12 and line not in given]
    assert len(secret) > 30
    assert not [line for line in secret if line in released]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('folder', [SOURCE, RELEASE], ids=['source', 'release'])
def test_notebooks_are_clean(name, folder):
    nb = read(name, folder)
    nbformat.validate(nb)
    assert nb.metadata == {'kernelspec': KERNELSPEC, 'language_info': LANGUAGE_INFO}
    assert all(c.execution_count is None and not c.outputs for c in code_cells(nb))
    assert not MACHINE_PATH.search((folder / f'{name}.ipynb').read_text('utf-8'))
    for ids in ([c.id for c in nb.cells], [settings(c)['grade_id'] for c in nb.cells
                                           if settings(c)]):
        assert len(ids) == len(set(ids))
    # What tests and checks rely on is locked; nbgrader puts a changed one back.
    assert all(settings(c).get('locked') or settings(c).get('solution') for c in code_cells(nb))


@pytest.mark.parametrize('name', NAMES)
def test_stub_says_what_to_do(name):
    stubs = [c for c in read(name, RELEASE).cells if settings(c).get('solution')]
    assert len(stubs) >= 2
    for cell in stubs:
        if cell.cell_type == 'code':
            assert "# YOUR CODE HERE" in cell.source
            assert "raise NotImplementedError('Write this part" in cell.source
            assert '"""' in cell.source, 'a stub has a docstring'
        else:
            assert cell.source.startswith('YOUR ANSWER HERE')


@pytest.mark.parametrize('name', NAMES)
def test_points_are_those_that_the_title_cell_says(name):
    title = read(name).cells[0].source
    assert f'{points(name, "code")} by tests, {points(name, "markdown")} by hand' in title
    for cell in filter(is_test, read(name).cells):
        given = settings(cell)['points']
        assert cell.source.startswith(f'# {given} point{"s"[:given > 1]}. ')
        assert '    """' in cell.source, 'a hidden test says what failed'


@pytest.mark.parametrize('name', NAMES)
def test_the_readme_has_every_exercise_and_its_points(name):
    readme = (COURSE / 'README.md').read_text('utf-8')
    row = next(line for line in readme.splitlines() if line.startswith(f'| {name} '))
    assert f'| {points(name, "code")} + {points(name, "markdown")} |' in row
    minutes = re.search(r'Time:\*\* (\d+) minutes', read(name).cells[0].source).group(1)
    assert f'| {minutes} |' in row


def test_the_readme_links_lead_somewhere():
    path = COURSE / 'README.md'
    assert not list(broken_links(rendered(path.read_text('utf-8')), path))


def test_every_part_has_a_check():
    for name in NAMES:
        parts = [c for c in code_cells(read(name)) if settings(c)['solution']]
        assert [c.id for c in code_cells(read(name)) if is_check(c)] == [
            f'{cell.id}_check' for cell in parts]


@pytest.mark.parametrize('name', NAMES)
def test_every_test_and_check_names_a_section_that_there_is(name):
    for cell in filter(is_test, read(name).cells):
        assert PLACE.search(cell.source), f'{cell.id} does not say where to read'
    for number, section in PLACE.findall('\n'.join(c.source for c in code_cells(read(name)))):
        path, = (ROOT / 'notebooks').glob(f'{number}_*.ipynb')
        assert f'\n## {section}. ' in markdown(nbformat.read(path, as_version=4)), path.name


def test_the_given_block_is_that_of_the_series():
    kept = dict(kept_definitions())
    given = next(c for c in read('3_deeper_resnets').cells if c.id == 'block')
    assert [name for name, _ in definitions(given.source)] == ['conv_bn', 'BasicBlock']
    assert all(kept[name] == tree for name, tree in definitions(given.source))


# ---------------------------------------------------------------------------------------------
# The tests against solutions


@pytest.fixture(autouse=True)
def grader_can_be_imported(monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(COURSE), *sys.path])


def run_cells(name, changed, tests, space=None):
    """Runs a source notebook's cells, some of them changed, and of its tests and checks `tests`.

    changed: {cell: source}. space: a dict for the names that the cells define, None where nobody
    asks. Returns {test: the exception, or None where it passed}.
    """
    space, outcome = {} if space is None else space, {}
    for cell in code_cells(read(name)):
        if (is_check(cell) or is_test(cell)) and cell.id not in tests:
            continue
        if cell.id.startswith('run_'):  # it takes long, and only shows something
            continue
        source = changed.get(cell.id, cell.source)
        try:
            with contextlib.chdir(SOURCE):  # where the data lies
                exec(compile(source, f'{name}, cell {cell.id}', 'exec'), space)
            outcome[cell.id] = None
        except Exception as error:
            outcome[cell.id] = error
    plt.close('all')  # what the cells have drawn
    return {test: outcome[test] for test in tests}


def edited(name, cell_id, edits):
    """A solution cell with words replaced; every word must be there."""
    source = next(c.source for c in read(name).cells if c.id == cell_id)
    for old, new in edits:
        assert old in source, f'{old!r} is not in the solution {cell_id}'
        source = source.replace(old, new)
    return source


@pytest.mark.parametrize('name', CODING)
def test_there_are_enough_wrong_solutions(name):
    assert len(WRONG[name]) >= 8
    found_by = {test for *_, test in WRONG[name]}
    assert found_by == set(TESTS[name]), 'every test finds at least one wrong solution'


def message(error):
    """What a student reads of an exception."""
    return ' '.join([str(error), *getattr(error, '__notes__', [])])


@functools.cache
def failure(name, number):
    """The kind and the message of what the test meant for a wrong solution raises, or None."""
    _, cell, edits, test = WRONG[name][number]
    error = run_cells(name, {cell: edited(name, cell, edits)}, [test])[test]
    return error and (type(error), message(error))


EVERY_WRONG_ONE = pytest.mark.parametrize('name, number', [
    pytest.param(name, number, id=f'{name[0]}, {wrong[0]}')
    for name in NAMES for number, wrong in enumerate(WRONG[name])])


@EVERY_WRONG_ONE
def test_wrong_solution_loses_the_points_meant_for_it(name, number):
    what, *_, test = WRONG[name][number]
    assert failure(name, number) is not None, f'{test} lets pass: {what}'
    # The solution itself works as Python; it is not a slip in the edit that fails.
    kind, text = failure(name, number)
    assert not issubclass(kind, (NameError, SyntaxError, AttributeError, TypeError)), text


@EVERY_WRONG_ONE
def test_a_failure_names_what_was_expected_what_came_and_where_to_read(name, number):
    _, text = failure(name, number)
    assert not missing_in(text), text


@pytest.mark.parametrize('changed, words', [
    (lambda a: -a, 'only the signs are wrong'), (lambda a: 0 * a, 'all numbers found are 0'),
    (lambda a: 3 * a, 'all are 3 times'), (lambda a: a - 2, 'all differ by the same -2'),
    (lambda a: np.maximum(a, 0), '0 is found where a negative number'),
    (lambda a: a * [[[[1]], [[1]], [[2]]]], '2 of 3 channels are right'),
    (lambda a: a[::-1], 'correlation'), (lambda a: np.log(a - a), 'not all numbers found are fin'),
    (lambda a: a[:, 1:], r'expected the shape \(2, 3, 4, 4\), found \(2, 2, 4, 4\)')])
def test_a_comparison_says_in_what_two_arrays_are_alike(changed, words):
    import grader
    expected = grader.random(2, 3, 4, 4)
    grader.assert_close(expected, expected, 'the output')
    with np.errstate(all='ignore'), pytest.raises(AssertionError, match=words) as failed:
        grader.assert_close(grader.nd.array(changed(expected.asnumpy())), expected, 'the output')
    assert missing_in(str(failed.value)) == ['where to read']


@pytest.mark.parametrize('name', NAMES[1:2] + NAMES[3:5])
def test_a_comparison_notices_the_numbers_of_the_other_mode(name):
    number = next(i for i, wrong in enumerate(WRONG[name])
                  if wrong[0] == 'BN with running statistics only')
    assert '(found are the numbers of prediction mode)' in failure(name, number)[1]


@pytest.mark.parametrize('name, changed', [
    pytest.param(name, changed, id=f'{name[0]}, {what}')
    for name in NAMES for what, changed in {'ours': {}, **ALTERNATIVES[name]}.items()])
def test_right_solution_gets_full_marks(name, changed):
    # Checks run among the student's names, so who calls other things `abs` has to rename them.
    checks = [] if 'range(10)' in ''.join(changed.values()) else CHECKS[name]
    outcome = run_cells(name, changed, TESTS[name] + checks)
    assert not {test: repr(error) for test, error in outcome.items() if error is not None}


@pytest.mark.parametrize('name', NAMES)
def test_the_stub_passes_no_test(name):
    stubs = {c.id: c.source for c in code_cells(read(name, RELEASE)) if settings(c)['solution']}
    assert all(run_cells(name, stubs, TESTS[name]).values())


# ---------------------------------------------------------------------------------------------
# What a student's Validate looks at


def check_raises(name, part, source):
    """What a part's check raises, or None; earlier checks run too, whose names it may use."""
    check = f'{part}_check'
    earlier = CHECKS[name][:CHECKS[name].index(check)]
    checks = [c for c in earlier if not c.startswith('repair_')]  # which take seconds
    return run_cells(name, {part: source}, [*checks, check])[check]


@pytest.mark.parametrize('what', ['untouched', 'return None', 'return x'])
@pytest.mark.parametrize('name, part', [
    pytest.param(name, check.removesuffix('_check'), id=f'{name[0]}, {check}')
    for name in NAMES for check in CHECKS[name]])
def test_a_check_fails_where_a_part_is_not_done(name, part, what):
    stub = next(c.source for c in read(name, RELEASE).cells if c.id == part)
    if what != 'untouched':
        stub, number = re.subn(r'# YOUR CODE HERE\n *raise .*', what, stub)
        assert number, 'the stub looks different now'
    if what == 'return x' and not re.search(r'def \w+\(.*\bx\b', stub):
        pytest.skip('the part takes no x')
    error = check_raises(name, part, stub)
    assert error is not None, f'the check lets pass: {what}'
    if what == 'untouched':
        assert isinstance(error, NotImplementedError)
    elif what == 'return None':
        assert not missing_in(message(error)), message(error)


@pytest.mark.parametrize('name, what, part, edits', [
    pytest.param(name, *half, id=f'{name[0]}, {half[1]}: {half[0]}')
    for name in NAMES for half in HALF[name]])
def test_a_check_fails_where_a_part_is_half_done(name, what, part, edits):
    error = check_raises(name, part, edited(name, part, edits))
    assert error is not None, f'the check lets pass: {what}'
    assert not isinstance(error, (NameError, SyntaxError, AttributeError)), repr(error)
    if isinstance(error, AssertionError):
        assert not missing_in(message(error)), message(error)


def test_every_part_has_a_half_done_solution():
    assert {name: {part for _, part, _ in HALF[name]} for name in NAMES} == {
        name: {check.removesuffix('_check') for check in CHECKS[name]} for name in NAMES}


@pytest.mark.parametrize('folder', [RELEASE, RELEASE_ZH], ids=['en', 'zh'])
@pytest.mark.parametrize('name', NAMES)
def test_validate_counts_an_untouched_answer_in_words_as_failed(name, folder):
    from nbgrader.utils import determine_grade  # late: it takes seconds

    answers = [c for c in read(name, folder).cells
               if c.cell_type == 'markdown' and settings(c).get('solution')]
    assert [determine_grade(c)[0] for c in answers] == [0]
    answers[0].source = 'An answer.'
    assert determine_grade(answers[0])[0] is None, 'what is written is for a teacher to grade'


def test_validate_names_the_cells_that_are_not_done(tmp_path):
    from nbgrader.validator import Validator

    def failed(**sources):
        nb = read('1_gradients', RELEASE)
        for cell in nb.cells:
            cell.source = sources.get(cell.id, cell.source)
        nbformat.write(nb, tmp_path / '1_gradients.ipynb')
        found = Validator().validate(str(tmp_path / '1_gradients.ipynb')).get('failed', [])
        ids = {c.source.strip(): c.id for c in nb.cells}
        return {ids[cell['source']]: cell['raw_error'] for cell in found}

    ours = {c.id: c.source for c in read('1_gradients').cells if settings(c).get('solution')}
    assert list(failed()) == [*CHECKS['1_gradients'], 'answer']
    assert list(failed(**{**ours, 'answer': read('1_gradients', RELEASE).cells[-1].source})) == [
        'answer']
    assert not failed(**ours)
    half = edited('1_gradients', 'chain', [('for w in weights:', 'for w in weights[:1]:')])
    found = failed(**{**ours, 'chain': half})
    assert list(found) == ['chain_check'] and not missing_in(found['chain_check'])


# ---------------------------------------------------------------------------------------------
# Cells that do not end, or end the kernel


def executed(tmp_path, *sources, graded=(), limit=2):
    """Executes cells as autograding does; those numbered in `graded` are tests. Returns them."""
    from survive import ExecuteAndSurvive

    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nb.metadata.kernelspec = KERNELSPEC
    for i in graded:
        nb.cells[i].metadata['nbgrader'] = {'grade': True, 'solution': False, 'grade_id': f't{i}',
                                            'points': 1, 'schema_version': 3, 'locked': True}
    executor = ExecuteAndSurvive(timeout=limit)
    nb, _ = executor.preprocess(nb, {'metadata': {'path': str(tmp_path)}})
    return nb.cells


def names_of_errors(cells):
    return [[o.ename for o in cell.outputs if o.output_type == 'error'] for cell in cells]


@pytest.mark.parametrize('bad, name', [
    ('while True: pass', 'CellTimeoutError'),
    ('import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass',
     'KernelLost'),
    ('import os; os._exit(1)', 'KernelLost'),
    ('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', 'KernelLost'),
    ('exit()', 'KernelLost'),
    ('raise SystemExit', 'SystemExit'),
    ('1 / 0', 'ZeroDivisionError'),
], ids=['endless', 'endless and stubborn', 'exit code', 'crash', 'exit()', 'SystemExit', 'error'])
def test_a_bad_cell_costs_itself_only(tmp_path, bad, name):
    cells = executed(tmp_path, 'a = 1', 'a += 1', 'b = a', bad, 'assert a == b == 2', 'a + 40')
    errors = names_of_errors(cells)
    assert name in errors[3]
    assert errors[:3] + errors[4:] == [[]] * 5
    assert cells[5].outputs[0].data['text/plain'] == '42'


def test_a_cell_that_prints_without_end_is_stopped_before_its_time(tmp_path):
    cells = executed(tmp_path, 'a = 1', 'import sys\nwhile True: sys.stdout.write("a" * 1000)',
                     'assert a == 1', limit=600)
    assert names_of_errors(cells) == [[], ['KernelLost'], []]
    assert 'more than 20,000,000 characters' in cells[1].outputs[-1].evalue
    assert len(str(cells[1].outputs)) < 2_000_000


@pytest.mark.parametrize('shown', [
    'from IPython.display import display\ndisplay({"text/plain": 5}, raw=True)',
    'print("\\ud800")', 'print("a" * 2_000_000)', 'raise ValueError("a" * 2_000_000)'])
def test_outputs_that_no_notebook_can_hold_or_should(tmp_path, shown):
    cells = executed(tmp_path, shown, 'b = 1', limit=120)
    nb = nbformat.v4.new_notebook(cells=cells)
    nbformat.validate(nb)
    assert len(nbformat.writes(nb).encode()) < 2_000_000
    assert ('raise' in shown) == bool(names_of_errors(cells)[0]), 'an error is an error'


def test_what_follows_half_a_character_is_still_shown(tmp_path):
    cells = executed(tmp_path, 'print("\\ud800")', 'print("after")', limit=120)
    assert [cell.outputs[0].text for cell in cells] == ['?\n', 'after\n']


def test_no_kernel_grades_without_assertions(tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONOPTIMIZE', '1')
    with pytest.raises(RuntimeError, match='assertions are switched off'):
        executed(tmp_path, 'a = 1')


def test_nothing_that_is_set_for_another_python_reaches_nbgrader(monkeypatch):
    for name in ('PYTHONOPTIMIZE', 'PYTHONPATH', 'JUPYTER_CONFIG_DIR', 'MXNET_ENGINE_TYPE'):
        monkeypatch.setenv(name, '1')
    assert not {'PYTHONOPTIMIZE', 'PYTHONPATH', 'JUPYTER_CONFIG_DIR',
                'MXNET_ENGINE_TYPE'} & set(course.environment())
    # Nor, where nbgrader runs without tools/course.py, the kernels.
    source = (COURSE / 'nbgrader_config.py').read_text('utf-8')
    monkeypatch.setattr(sys, 'path', sys.path[:])
    exec(source, {'__file__': str(COURSE / 'nbgrader_config.py'), 'get_config': mock.MagicMock})
    assert 'PYTHONOPTIMIZE' not in os.environ


def test_two_cells_that_kill_the_kernel(tmp_path):
    kill = 'import os; os._exit(1)'
    cells = executed(tmp_path, 'a = 1', kill, 'a += 1', kill, 'assert a == 2')
    assert [bool(errors) for errors in names_of_errors(cells)] == [False, True, False, True, False]


def test_a_warning_costs_no_points(tmp_path):
    cells = executed(tmp_path, "import warnings; warnings.warn('careful')",
                     "import sys; print('careful', file=sys.stderr)", graded=[1])
    assert cells[0].outputs and not cells[1].outputs


# ---------------------------------------------------------------------------------------------
# Through nbgrader, from the submissions to the marks


def submit(folder, notebooks):
    """Stores a student's notebooks: {name: notebook}."""
    folder.mkdir(parents=True)
    for name, nb in notebooks.items():
        nbformat.write(nb, folder / f'{name}.ipynb')


def released_with(name, folder=RELEASE, **sources):
    """A released notebook with some cells filled in, and outputs of a student's own run."""
    nb = read(name, folder)
    for cell in nb.cells:
        if cell.id in sources:
            cell.source = sources[cell.id]
    code_cells(nb)[0].outputs = [nbformat.v4.new_output('stream', text='old\n')]
    nb.metadata.kernelspec = {'name': 'mine', 'display_name': 'Mine', 'language': 'python'}
    return nb


def solved(name, folder=RELEASE):
    """A released notebook with our solutions in it."""
    return released_with(name, folder, **{c.id: c.source for c in read(name).cells
                                          if settings(c).get('solution')})


def odd(name):
    """Our solutions as other tools leave them: nbgrader's marks lost, a doubled cell, old rules."""
    nb = solved(name)
    nb.cells.insert(4, nbformat.from_dict(nb.cells[3]))
    for cell in nb.cells:
        cell.metadata = {}
        cell.extra = 1
    nb.metadata = {'widgets': {'application/vnd.jupyter.widget-state+json': {}}}
    return {**nb, 'nbformat_minor': 4}


@pytest.fixture(scope='module')
def graded(tmp_path_factory):
    """A class, graded in two calls: {student: {column of grades.csv: text}}, and the folder."""
    folder = tmp_path_factory.mktemp("a:b [1] 100%25 'c'") / 'submitted'
    submit(folder / 'all' / 'resnet', {name: solved(name) for name in NAMES})
    submit(folder / '中文', {name: solved(name, RELEASE_ZH) for name in NAMES[:2]})
    submit(folder / 'none' / 'resnet', {name: read(name, RELEASE) for name in NAMES[::2]})

    # A wrong solution, a right one that is unlike ours, deleted cells, missing notebooks.
    mixed = {name: solved(name) for name in (NAMES[1], NAMES[3], NAMES[4])}
    what, cell, edits, _ = WRONG['4_bottleneck'][3]
    assert what == 'biases'
    mixed['4_bottleneck'] = released_with('4_bottleneck',
                                          **{cell: edited('4_bottleneck', cell, edits)})
    alternative = next(iter(ALTERNATIVES['2_residual_block'].values()))
    mixed['2_residual_block'] = released_with('2_residual_block', **alternative)
    deleted = ('imports', 'test_counts', 'test_ends', 'unit_check')
    mixed['5_preactivation'].cells = [c for c in mixed['5_preactivation'].cells
                                      if c.id not in deleted]
    submit(folder / 'mixed', mixed)  # without the folder `resnet`

    (folder / ODD / 'handed in').mkdir(parents=True)
    (folder / ODD / 'handed in' / '1_gradients.ipynb').write_text(json.dumps(odd('1_gradients')))
    submit(folder / 'torn', {})
    (folder / 'torn' / '1_gradients.ipynb').write_text('{"cells": [')

    out = folder.with_name('graded')
    assert course.grade(folder, out).keys() == {'torn'}
    first = (out / 'grades.csv').read_text('utf-8')

    # A function that does not end for one of its tests, and a cell that kills the kernel.
    endless = solved('1_gradients')
    next(c for c in endless.cells if c.id == 'terms').source = edited('1_gradients', 'terms', [
        ('    x = x.copy()', '    while isinstance(block, nn.BatchNorm):\n        pass\n'
                             '    x = x.copy()')])
    dying = solved('2_residual_block')
    dying.cells.insert(6, nbformat.v4.new_code_cell('import os; os._exit(1)'))
    submit(folder / 'trouble' / 'resnet', {'1_gradients': endless, '2_residual_block': dying})
    # As a call leaves it that is killed, and what has been marked and handed in again.
    (out / 'submitted' / 'trouble' / 'resnet').mkdir(parents=True)
    (out / 'submitted' / 'trouble' / 'resnet' / 'half.ipynb').write_text('{')
    next(iter((folder / 'none' / 'resnet').iterdir())).unlink()
    assert course.grade(folder, out, limit=15).keys() == {'torn', 'none'}

    text = (out / 'grades.csv').read_text('utf-8')
    assert set(first.splitlines()) < set(text.splitlines()), 'what was marked stays as it was'
    return {row['student']: row for row in csv.DictReader(text.splitlines())}, out


ODD = "~-Ada Żółw_12345_assignsubmission_file (a]{b}%'!"


def test_odd_names_files_and_cells_cost_nothing(graded):
    assert float(graded[0][ODD]['1_gradients']) == points('1_gradients', 'code')
    assert float(graded[0][ODD]['to grade by hand']) == points('1_gradients', 'markdown')
    assert graded[0].keys() == {'all', '中文', 'none', 'mixed', 'trouble', ODD}


def test_chinese_notebooks_are_graded_as_the_english_ones(graded):
    assert {name: float(graded[0]['中文'][name]) for name in NAMES[:2]} == {
        name: points(name, 'code') for name in NAMES[:2]}


def test_our_solutions_get_full_marks(graded):
    marks = graded[0]['all']
    assert {name: float(marks[name]) for name in NAMES} == {n: points(n, 'code') for n in NAMES}
    by_hand = sum(points(name, 'markdown') for name in NAMES)
    assert float(marks['to grade by hand']) == by_hand
    assert float(marks['points']) + by_hand == float(marks['of'])


def test_nothing_done_gets_nothing(graded):
    marks = graded[0]['none']
    assert {float(marks[column]) for column in (*NAMES, 'points', 'to grade by hand')} == {0}


def test_a_mixed_submission(graded):
    marks = graded[0]['mixed']
    assert float(marks['1_gradients']) == float(marks['3_deeper_resnets']) == 0, 'missing'
    assert float(marks['2_residual_block']) == points('2_residual_block', 'code')
    assert float(marks['4_bottleneck']) == points('4_bottleneck', 'code') - 1, 'test_counts'
    assert float(marks['5_preactivation']) == points('5_preactivation', 'code'), (
        'deleted cells are put back')


def test_endless_loop_and_dead_kernel_cost_their_cells_only(graded):
    marks = graded[0]['trouble']
    assert float(marks['1_gradients']) == points('1_gradients', 'code') - 1, 'test_mode'
    assert float(marks['2_residual_block']) == points('2_residual_block', 'code')


def test_feedback_says_what_failed(graded):
    pages = graded[1] / 'feedback'
    assert len(list(pages.glob('*/resnet/*.html'))) == len(NAMES) + 3 + 3 + 2 + 2 + 1
    page = (pages / 'mixed/resnet/4_bottleneck.html').read_text('utf-8')
    assert 'expected 75,008 parameters, found 75,648' in page
    assert 'found 75,648. Read 05, section 2' in page, 'the check'
    assert 'found 75,648, a difference of +640. Read 05, section 2' in page, 'the test'
    assert 'No biases, a BN behind every' in page, 'what it looked at'
    assert 'CellTimeoutError' in (pages / 'trouble/resnet/1_gradients.html').read_text('utf-8')


def test_marks_after_grading_by_hand(graded, capsys):
    from nbgrader.api import Gradebook

    folder = graded[1]
    before = (folder / 'grades.csv').read_text('utf-8')
    with course.plain_path(folder) as root, \
            Gradebook(f'sqlite:///{root / "gradebook.db"}') as book:  # as Formgrader does it
        grade = book.find_grade('answer', '1_gradients', 'resnet', 'all')
        assert grade.needs_manual_grade and grade.max_score == 3
        grade.manual_score, grade.needs_manual_grade = 2, False
        book.db.commit()
    assert course.main(['marks', str(folder)]) == 0
    assert 'the marks so far are kept' in capsys.readouterr().out
    assert [p.read_text('utf-8') for p in folder.glob('grades-until-*.csv')] == [before]
    with (folder / 'grades.csv').open(encoding='utf-8', newline='') as file:
        after = {row['student']: row for row in csv.DictReader(file)}
    assert float(after['all']['1_gradients']) == points('1_gradients', 'code') + 2
    by_hand = sum(points(name, 'markdown') for name in NAMES)
    assert float(after['all']['to grade by hand']) == by_hand - 3


def test_pages_that_fail_cost_nobody_else_any(graded, capsys):
    folder = graded[1]
    spoilt = folder / 'autograded' / 'none' / 'resnet'
    page = sorted(spoilt.glob('*.ipynb'))[0]
    nb = json.loads(page.read_text('utf-8'))
    nb['metadata']['widgets'] = {'application/vnd.jupyter.widget-state+json': {}}
    page.chmod(0o644)
    page.write_text(json.dumps(nb))
    assert course.main(['marks', str(folder)]) == 1
    assert 'none: is marked, but without feedback pages' in capsys.readouterr().err
    assert {p.name for p in (folder / 'feedback').iterdir()} >= {'all', 'mixed', 'trouble', ODD}
    assert len(list((folder / 'feedback' / 'all').glob('resnet/*.html'))) == len(NAMES)


# ---------------------------------------------------------------------------------------------
# What a teacher may get wrong


@pytest.fixture
def no_nbgrader(monkeypatch):
    """Grading without nbgrader: a function that says how many points a student gets, or raises."""
    def make(folder):
        for name in NAMES:
            (folder / 'release/resnet').mkdir(parents=True, exist_ok=True)
            (folder / f'release/resnet/{name}.ipynb').write_bytes(
                (RELEASE / f'{name}.ipynb').read_bytes())
        for path in [*COURSE.glob('*.py'), *SOURCE.glob('*'), COURSE / 'source/header.ipynb']:
            (folder / path.relative_to(COURSE)).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(COURSE)).write_bytes(path.read_bytes())

    def nbgrader(folder, *arguments, log=None):
        if 'autograde' in arguments:
            behaviour(next(a for a in arguments if a.startswith('--student=')))

    behaviour = mock.Mock()
    monkeypatch.setattr(course, 'make_course', make)
    monkeypatch.setattr(course, 'nbgrader', nbgrader)
    monkeypatch.setattr(course, 'CORES', 1)  # students in their order
    for name in ('copy_gradebook', 'copy_marks'):
        monkeypatch.setattr(course, name, lambda *arguments: None)
    monkeypatch.setattr(course, 'marks_of', lambda folder, students: {
        student: [1] * len(NAMES) + [len(NAMES), 100, 0] for student in students})
    monkeypatch.setattr(course.subprocess, 'run', lambda *a, **k: mock.Mock(returncode=0))
    return behaviour


def table(out):
    return [line.split(',')[0] for line in (out / 'grades.csv').read_text('utf-8').splitlines()[1:]]


def make_class(folder, *students):
    for student in students:
        submit(folder / student, {'1_gradients': read('1_gradients', RELEASE)})


@pytest.mark.parametrize('end', [KeyboardInterrupt, OSError, SystemExit])
def test_marks_are_written_whatever_ends_the_run_and_a_second_call_goes_on(
        tmp_path, no_nbgrader, capsys, end):
    make_class(tmp_path / 'in', 'ada', 'bob', 'cyd')
    no_nbgrader.side_effect = [None, end]
    with pytest.raises(end):
        course.grade(tmp_path / 'in')
    assert table(tmp_path / 'in-graded') == ['ada']
    if end is KeyboardInterrupt:
        assert '1 students are marked' in capsys.readouterr().out
    no_nbgrader.side_effect = None
    no_nbgrader.reset_mock()
    assert course.main(['grade', str(tmp_path / 'in')]) == 0
    assert [call.args for call in no_nbgrader.call_args_list] == [
        ('--student=bob',), ('--student=cyd',)]
    assert table(tmp_path / 'in-graded') == ['ada', 'bob', 'cyd']
    assert '3 students seen, 3 marked' in capsys.readouterr().out


def test_a_student_that_fails_is_named_and_the_others_are_marked(tmp_path, no_nbgrader, capsys):
    make_class(tmp_path / 'in', 'ada', 'bob', 'cyd')
    no_nbgrader.side_effect = [course.AssignmentError('a crash'), None, None]
    assert course.main(['grade', str(tmp_path / 'in')]) == 1
    said = capsys.readouterr()
    assert '3 students seen, 2 marked' in said.out and 'ada: a crash' in said.err
    assert table(tmp_path / 'in-graded') == ['bob', 'cyd']


def test_a_line_says_how_far_the_class_is():
    with mock.patch.object(course.time, 'monotonic', side_effect=[0, 3000, 6000, 6010, 6020]):
        progress = course.Progress({'ada': [1], 'bob': [1], 'cyd': [1, 2], 'dan': []})
        assert [progress.after(student, unmarked) for student, unmarked in (
            ('ada', 0), ('bob', 1), ('cyd', 1), ('dan', 2))] == [
            ' (1 of 4 done, about 2 h 30 min to go)',
            ' (2 of 4 done, 1 not marked, about 1 h 40 min to go)',
            ' (3 of 4 done, 1 not marked)', ' (4 of 4 done, 2 not marked)']


def test_what_nobody_thought_of_costs_one_student_his_marks(tmp_path, no_nbgrader, capsys):
    make_class(tmp_path / 'in', 'ada', 'bob', 'cyd')
    no_nbgrader.side_effect = [None, KeyError('a slip'), None]
    assert course.main(['grade', str(tmp_path / 'in')]) == 1
    said = capsys.readouterr()
    assert 'bob: NOT MARKED (2 of 3 done, 1 not marked' in said.out
    assert "bob: KeyError: 'a slip'" in said.err
    assert table(tmp_path / 'in-graded') == ['ada', 'cyd']


@pytest.mark.parametrize('jobs', [1, 3])
def test_as_many_at_a_time_as_wanted(tmp_path, no_nbgrader, jobs):
    make_class(tmp_path / 'in', *'abcdef')
    busy, most, lock = [], [], threading.Lock()

    def autograde(student):
        with lock:
            busy.append(student)
            most.append(len(busy))
        if len(most) < jobs:  # until as many have come
            assert all_there.wait(60)
        all_there.set()
        with lock:
            busy.remove(student)

    all_there = threading.Event()
    no_nbgrader.side_effect = autograde
    assert course.main(['grade', str(tmp_path / 'in'), f'--jobs={jobs}']) == 0
    assert max(most) == jobs and table(tmp_path / 'in-graded') == [*'abcdef']


def test_nothing_is_graded_without_the_grader(tmp_path, no_nbgrader, monkeypatch):
    make_class(tmp_path / 'in', 'ada')
    monkeypatch.setattr(course.subprocess, 'run', lambda *a, **k: mock.Mock(
        returncode=1, stderr='ModuleNotFoundError: grader'))
    with pytest.raises(course.AssignmentError, match='cannot be imported, so nothing was graded'):
        course.grade(tmp_path / 'in')
    assert not no_nbgrader.called


def test_a_course_that_cannot_be_made_leaves_nothing(tmp_path, no_nbgrader, monkeypatch):
    make_class(tmp_path / 'in', 'ada')
    monkeypatch.setattr(course, 'make_course', mock.Mock(side_effect=course.AssignmentError('no')))
    with pytest.raises(course.AssignmentError):
        course.grade(tmp_path / 'in')
    assert [path.name for path in tmp_path.iterdir()] == ['in']


def test_nothing_of_others_is_overwritten(tmp_path, no_nbgrader):
    make_class(tmp_path / 'in', 'ada')
    (tmp_path / 'mine').mkdir()
    with pytest.raises(course.AssignmentError, match='exists, and nothing is overwritten'):
        course.grade(tmp_path / 'in', tmp_path / 'mine')
    with pytest.raises(course.AssignmentError, match='lies among the submissions'):
        course.grade(tmp_path / 'in', tmp_path / 'in' / 'out')
    course.grade(tmp_path / 'in', tmp_path / 'out')
    (tmp_path / 'out' / 'grader.py').write_text('other tests')
    with pytest.raises(course.AssignmentError, match='other exercises or tests'):
        course.grade(tmp_path / 'in', tmp_path / 'out')


def test_two_calls_at_once(tmp_path, no_nbgrader):
    make_class(tmp_path / 'in', 'ada')
    course.grade(tmp_path / 'in', tmp_path / 'out')
    with locked(tmp_path / 'out'), pytest.raises(BlockingIOError):
        course.grade(tmp_path / 'in', tmp_path / 'out')


def test_missing_folder(tmp_path, capsys):
    assert course.main(['grade', str(tmp_path / 'nowhere')]) == 1
    assert f'there is no folder {tmp_path / "nowhere"}' in capsys.readouterr().err


def test_no_notebook(tmp_path):
    with pytest.raises(course.AssignmentError, match='no notebook found'):
        course.grade(tmp_path)
    (tmp_path / 'ada' / 'resnet').mkdir(parents=True)
    with pytest.raises(course.AssignmentError, match='ada: .*no notebook'):
        course.grade(tmp_path)


def test_what_cannot_be_graded_is_named_and_the_rest_is_graded(tmp_path, no_nbgrader, capsys):
    folder = tmp_path / 'in'
    submit(folder / 'ada', {'2_residual_block-Copy1': read('2_residual_block', RELEASE),
                            '1_gradients': read('1_gradients', RELEASE)})
    make_class(folder, 'b*b', 'bob')
    submit(folder / 'cyd', {})
    (folder / 'cyd' / '1_gradients.ipynb').write_text('{"cells": [')
    (folder / '3_deeper_resnets.ipynb').write_text('{}')
    (folder / 'zip.zip').write_text('')
    arguments = ['grade', str(folder), '--out', str(tmp_path / 'out')]
    assert course.main(arguments) == 1
    said = capsys.readouterr()
    for words in ('2_residual_block-Copy1.ipynb: no notebook', "beside the students' folders",
                  '1_gradients.ipynb: not a readable notebook', 'OPTIONS=--skip-unknown',
                  'b*b: rename the folder'):
        assert words in said.err
    assert 'zip.zip belongs to no student' in said.out and '4 students seen, 1 marked' in said.out
    assert table(tmp_path / 'out') == ['bob']
    assert course.main([*arguments, '--skip-unknown']) == 1
    said = capsys.readouterr()
    assert 'Copy1' in said.out and 'Copy1' not in said.err and 'cyd' in said.err
    assert table(tmp_path / 'out') == ['ada', 'bob']


def test_a_folder_that_was_not_graded(tmp_path):
    with pytest.raises(course.AssignmentError, match='no gradebook.db'):
        course.marks(tmp_path)


def test_a_name_that_the_terminal_cannot_print(tmp_path):
    make_class(tmp_path / 'Zoë 书', 'ada')
    (tmp_path / 'Zoë 书' / 'ada' / '1_gradients.ipynb').unlink()
    done = subprocess.run([sys.executable, '-m', 'tools.course', 'grade', tmp_path / 'Zoë 书'],
                          cwd=COURSE.parent, capture_output=True, text=True,
                          env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert done.returncode == 1 and 'Zo\\xeb' in done.stderr and 'Traceback' not in done.stderr
