"""The assignments: the release, the tests against right and wrong solutions, and nbgrader itself.

Wrong solutions run in this process, cell by cell. nbgrader grades a small class of students from
end to end: one with our solutions, one with nothing done, and some with trouble.
"""
import re
import sys

import utils  # noqa: F401  before mxnet, for its threads

import assignments
import nbformat
import pytest
from assignments import COURSE, AssignmentError
from rules import MACHINE_PATH, definitions, kept_definitions, notebook_definitions
from run_notebooks import KERNELSPEC, LANGUAGE_INFO, code_cells
from solutions import ALTERNATIVES, WRONG

SOURCE, RELEASE = COURSE / 'source' / 'resnet', COURSE / 'release' / 'resnet'
NAMES = assignments.known_notebooks()
CODING = NAMES[1:]


def settings(cell):
    """What nbgrader knows of a cell."""
    return cell.metadata.get('nbgrader', {})


def is_test(cell):
    return cell.cell_type == 'code' and settings(cell).get('grade', False)


def read(name, folder=SOURCE):
    return nbformat.read(folder / f'{name}.ipynb', as_version=4)


def points(name, kind):
    """The sum of a notebook's points: kind 'code' by tests, 'markdown' by hand."""
    return sum(settings(c).get('points', 0) for c in read(name).cells if c.cell_type == kind)


TESTS = {name: [c.id for c in read(name).cells if is_test(c)] for name in NAMES}


# ---------------------------------------------------------------------------------------------
# The files


@pytest.fixture(scope='module')
def fresh_course(tmp_path_factory):
    """A course made from the source, with its release and database."""
    folder = tmp_path_factory.mktemp('course')
    assignments.make_course(folder)
    return folder


def test_release_is_not_stale(fresh_course):
    fresh = fresh_course / 'release' / 'resnet'
    assert [p.name for p in sorted(fresh.iterdir())] == [p.name for p in sorted(RELEASE.iterdir())]
    for path in fresh.iterdir():
        assert path.read_text('utf-8') == (RELEASE / path.name).read_text('utf-8'), (
            f'{path.name}: run `make assignments`')


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


def test_the_given_block_is_that_of_the_series():
    kept = dict(kept_definitions())
    given = next(c for c in read('3_deeper_resnets').cells if c.id == 'block')
    assert [name for name, _ in definitions(given.source)] == ['conv_bn', 'BasicBlock']
    assert all(kept[name] == tree for name, tree in definitions(given.source))
    assert notebook_definitions(read('3_deeper_resnets'))


# ---------------------------------------------------------------------------------------------
# The tests against solutions


@pytest.fixture(autouse=True)
def grader_can_be_imported(monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(COURSE), *sys.path])


def run_cells(name, changed, tests):
    """Runs a source notebook's cells, some of them changed, up to its tests.

    changed: {cell: source}. Returns {test: the exception, or None where it passed}.
    """
    space, outcome = {}, {}
    for cell in code_cells(read(name)):
        if cell.id.endswith('_check') or (is_test(cell) and cell.id not in tests):
            continue
        source = changed.get(cell.id, cell.source)
        try:
            exec(compile(source, f'{name}, cell {cell.id}', 'exec'), space)
            outcome[cell.id] = None
        except Exception as error:
            outcome[cell.id] = error
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


@pytest.mark.parametrize('name, what, cell, edits, test', [
    pytest.param(name, *wrong, id=f'{name[0]}, {wrong[0]}')
    for name in NAMES for wrong in WRONG[name]])
def test_wrong_solution_loses_the_points_meant_for_it(name, what, cell, edits, test):
    error = run_cells(name, {cell: edited(name, cell, edits)}, [test])[test]
    assert error is not None, f'{test} lets pass: {what}'
    # The solution itself works as Python; it is not a slip in the edit that fails.
    assert not isinstance(error, (NameError, SyntaxError, AttributeError, TypeError)), repr(error)


@pytest.mark.parametrize('name, changed', [
    pytest.param(name, changed, id=f'{name[0]}, {what}')
    for name in NAMES for what, changed in {'ours': {}, **ALTERNATIVES[name]}.items()])
def test_right_solution_gets_full_marks(name, changed):
    outcome = run_cells(name, changed, TESTS[name])
    assert not {test: repr(error) for test, error in outcome.items() if error is not None}


@pytest.mark.parametrize('name', NAMES)
def test_the_stub_passes_no_test(name):
    stubs = {c.id: c.source for c in code_cells(read(name, RELEASE)) if settings(c)['solution']}
    assert all(run_cells(name, stubs, TESTS[name]).values())
