"""What may be handed in: every folder is read or named, every notebook is rebuilt validly."""
import json
import os

import nbformat
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nbgrader.nbgraderformat import MetadataValidator

from assignments.rebuild import read_cell, read_cells, rebuild, rebuild_submitted
from scripts.files import is_ignored
from tools.course import ASSIGNMENT, COURSE, known_notebooks, only
from tools.submissions import find_students, read_submission

NAMES = known_notebooks()
RELEASED = {name: nbformat.read(COURSE / f'release/resnet/{name}.ipynb', 4) for name in NAMES}
WORK = 'def {}(*arguments):\n    return 42'


def grade_id(cell):
    return cell['metadata'].get('nbgrader', {}).get('grade_id')


def ours(nb):
    return [cell for cell in nb.cells if grade_id(cell)]


def done(name):
    """A released notebook as JSON, with something in every cell that a student fills in."""
    nb = json.loads(nbformat.writes(RELEASED[name]))
    for cell in nb['cells']:
        cell['source'] = ''.join(cell['source'])
        if cell['metadata'].get('nbgrader', {}).get('solution'):
            cell['source'] = WORK.format(cell['id'])
    return nb


def rebuilt(nb, folder, name):
    """What a student's notebook, JSON or text, becomes; checked to be valid for nbgrader."""
    path = folder / f'{name}.ipynb'
    path.write_bytes(nb if isinstance(nb, bytes) else json.dumps(nb).encode())
    new, odd = rebuild(read_cells(path), RELEASED[name])
    nbformat.validate(nb := nbformat.reads(nbformat.writes(new), 4))
    nbformat.writes(nb).encode()
    MetadataValidator().validate_nb(nb)
    assert [grade_id(c) for c in ours(nb)] == [grade_id(c) for c in ours(RELEASED[name])]
    for cell, released in zip(ours(nb), ours(RELEASED[name]), strict=True):
        assert cell.cell_type == released.cell_type and cell.metadata == released.metadata
        if not released.metadata.nbgrader.solution:
            assert cell.source == released.source
    # `make grade` rebuilds it, and then nbgrader, by nbgrader_config.py, once more.
    again, _ = rebuild([read_cell(cell) for cell in nb.cells], RELEASED[name])
    assert [(cell.cell_type, cell.source, cell.metadata) for cell in again.cells] == \
        [(cell.cell_type, cell.source, cell.metadata) for cell in nb.cells]
    return nb, odd


def defined(nb):
    """Which cells' work a rebuilt notebook defines, in the order of the cells."""
    return [name for cell in nb.cells if cell.cell_type == 'code'
            for name in [c['id'] for c in RELEASED_SOLUTIONS] if WORK.format(name) in cell.source]


RELEASED_SOLUTIONS = [cell for nb in RELEASED.values() for cell in ours(nb)
                      if cell.metadata.nbgrader.solution and cell.cell_type == 'code']


@pytest.mark.parametrize('name', NAMES)
def test_a_notebook_as_it_should_be_stays_as_it_is(tmp_path, name):
    nb, odd = rebuilt(done(name), tmp_path, name)
    assert odd == []
    assert [c.source for c in nb.cells] == [c['source'] for c in done(name)['cells']]


# What students and other tools do to a cell, given the cell, or to a notebook.


def split(nb, i):
    nb['cells'].insert(i + 1, {**nb['cells'][i], 'source': 'tail = 1', 'id': 'split-off'})


def copy(nb, i):
    nb['cells'].insert(i + 1, {**nb['cells'][i], 'id': 'copied'})


def copy_to_the_end(nb, i):
    nb['cells'].append({**nb['cells'][i], 'id': 'copied'})


def exact_copy(nb, i):
    nb['cells'].insert(i, dict(nb['cells'][i]))


def retype(nb, i):
    cell = nb['cells'][i]
    cell['cell_type'] = {'code': 'raw', 'markdown': 'code'}.get(cell['cell_type'], 'markdown')


def own_cell(nb, i):
    nb['cells'].insert(i, {'cell_type': 'code', 'source': ['own = 1\n', 'own'], 'outputs': [{}]})


def lose_names(nb, i):
    nb['cells'][i]['metadata'] = {}


def lose_ids(nb, i):
    nb['cells'][i].pop('id', None)


def null_metadata(nb, i):
    nb['cells'][i]['metadata'] = [None, {'nbgrader': None}, {'nbgrader': []}, 'x'][i % 4]


def bad_nbgrader(nb, i):
    nb['cells'][i]['metadata'] = {'nbgrader': {'grade_id': i, 'schema_version': 9, 'points': 'x'}}


def extra(nb, i):
    nb['cells'][i].update(extra=1, outputs=[{'output_type': 'odd'}, 5], execution_count='x')


def surrogate(nb, i):
    nb['cells'].insert(i, {'cell_type': 'markdown', 'source': 'half \ud800', 'metadata': {},
                           'attachments': {'\ud800': {'image/png': 'AA'}, 'b': {'c': '\ud800'}}})


def old_rules(nb, i):
    nb['nbformat_minor'] = i % 6


def odd_notebook_metadata(nb, i):
    nb['metadata'] = [None, {}, {'widgets': {'application/vnd.jupyter.widget-state+json': {}}},
                      {'kernelspec': 5, 'language_info': None}][i % 4]


def move_up(nb, i):
    nb['cells'].insert(max(i - 3, 0), nb['cells'].pop(i))


HARMLESS = [split, copy, copy_to_the_end, exact_copy, own_cell, lose_names, lose_ids, extra,
            surrogate, old_rules, odd_notebook_metadata, move_up]
ANY = [*HARMLESS, retype, null_metadata, bad_nbgrader,
       lambda nb, i: nb['cells'].pop(i) if len(nb['cells']) > 1 else None]


def edits(kinds):
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 60)), max_size=6)


def edit(nb, changes):
    for change, i in changes:
        change(nb, i % len(nb['cells']))
    return nb


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('notebooks')


@given(st.sampled_from(NAMES), edits(HARMLESS))
def test_no_work_is_lost(folder, name, changes):
    nb, _ = rebuilt(edit(done(name), changes), folder, name)
    wanted = [c.id for c in ours(RELEASED[name])
              if c.metadata.nbgrader.solution and c.cell_type == 'code']
    # Each is there, and none is undone by a stub behind it.
    assert set(defined(nb)) == set(wanted)
    assert not any('NotImplementedError' in c.source for c in nb.cells)


@given(st.sampled_from(NAMES), edits(ANY))
def test_whatever_is_changed_nbgrader_gets_its_cells(folder, name, changes):
    rebuilt(edit(done(name), changes), folder, name)


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=4)
                    | st.dictionaries(st.sampled_from(['cell_type', 'source', 'metadata', 'id',
                                                       'nbgrader', 'grade_id', 'attachments']),
                                      inner, max_size=4), max_leaves=12)


@given(JSON | st.fixed_dictionaries({'cells': JSON | st.lists(JSON, max_size=4), 'nbformat': JSON}))
def test_any_json_is_read_or_refused(folder, content):
    try:
        rebuilt(content, folder, NAMES[0])
    except ValueError as error:
        assert 'not a readable notebook' in str(error)


@given(st.binary(max_size=60) | st.sampled_from([b'[' * 100_000, b'{"cells":[],"cells":5}', b'']))
def test_any_bytes_are_read_or_refused(folder, content):
    test_any_json_is_read_or_refused.hypothesis.inner_test(folder, content)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-32'])
def test_other_unicode_encodings_are_read(tmp_path, encoding):
    name = NAMES[0]
    nb, odd = rebuilt(json.dumps(done(name), ensure_ascii=False).encode(encoding), tmp_path, name)
    assert odd == [] and len(defined(nb)) == 3


def test_the_third_format_is_read(tmp_path):
    old = nbformat.convert(nbformat.from_dict(done(NAMES[0])), 3)
    assert len(defined(rebuilt(old, tmp_path, NAMES[0])[0])) == 3


@pytest.mark.parametrize('kinds, said', [
    ([copy], 'cells that are there twice'), ([retype], 'cells of another type'),
    ([lambda nb, i: nb['cells'].pop(i)], 'not found')])
def test_the_teacher_hears_of_odd_cells(tmp_path, kinds, said):
    nb = done(NAMES[1])
    i = next(i for i, cell in enumerate(nb['cells']) if cell['id'] == 'residual')
    new, odd = rebuilt(edit(nb, [(kind, i) for kind in kinds]), tmp_path, NAMES[1])
    assert len(odd) == 1 and said in odd[0] and 'residual' in odd[0]
    if kinds == [retype]:
        assert 'residual' in defined(new)


def test_nbgrader_rebuilds_and_says_what_was_odd(tmp_path, monkeypatch, caplog):
    nb = done(NAMES[1])
    copy(nb, next(i for i, cell in enumerate(nb['cells']) if cell['id'] == 'residual'))
    monkeypatch.chdir(COURSE)
    new, _ = rebuild_submitted(nbformat.from_dict(nb), {'nbgrader': {
        'student': 'ada', 'assignment': ASSIGNMENT, 'notebook': NAMES[1]}})
    assert [grade_id(c) for c in ours(new)] == [grade_id(c) for c in ours(RELEASED[NAMES[1]])]
    assert caplog.messages == [f'ada, {NAMES[1]}: cells that are there twice: residual']


def test_what_a_student_changed_in_a_given_cell_runs_behind_it(tmp_path):
    nb = done(NAMES[1])
    i = next(i for i, cell in enumerate(nb['cells']) if cell['id'] == 'imports')
    nb['cells'][i]['source'] = 'import math'
    cells = rebuilt(nb, tmp_path, NAMES[1])[0].cells
    at = next(i for i, cell in enumerate(cells) if cell.id == 'imports')
    assert cells[at + 1].source == 'import math' and not cells[at + 1].metadata


@pytest.mark.parametrize('change', [split, copy, retype, lose_names, lose_ids, bad_nbgrader])
def test_an_answer_in_words_is_kept(tmp_path, change):
    nb = done(NAMES[0])
    nb['cells'][-1]['source'] = 'Because of the identity copy.'
    nb['cells'][-1]['attachments'] = {'a.png': {'image/png': 'AAAA'}}
    if change in (lose_names, bad_nbgrader):  # where it stands is all that is left
        lose_ids(nb, -1)
    change(nb, len(nb['cells']) - 1)
    answer = next(c for c in rebuilt(nb, tmp_path, NAMES[0])[0].cells if c.id == 'answer')
    assert answer.source.startswith('Because of the identity copy.')
    assert answer.attachments == {'a.png': {'image/png': 'AAAA'}}


@pytest.mark.parametrize('empty', ['', ' \n', None])
def test_no_answer_is_the_released_one_which_nbgrader_marks(tmp_path, empty):
    nb = done(NAMES[0])
    nb['cells'][-1]['source'] = empty
    answer = next(c for c in rebuilt(nb, tmp_path, NAMES[0])[0].cells if c.id == 'answer')
    assert answer == ours(RELEASED[NAMES[0]])[-1]


# ---------------------------------------------------------------------------------------------
# Folders


def put(path, text=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(done(NAMES[0])) if text is None else text)


FILE = f'{NAMES[0]}.ipynb'
LEFT_OVERS = [f'._{FILE}', f'__MACOSX/{FILE}', f'.ipynb_checkpoints/{FILE}', '.DS_Store',
              f'@eaDir/{FILE}', 'Thumbs.db', f'.Trash-1000/{FILE}']


@pytest.mark.parametrize('layout', ['', 'resnet', 'submission', 'a/b/resnet', 'x.ipynb'])
@pytest.mark.parametrize('left', [[], LEFT_OVERS], ids=['clean', 'left-overs'])
def test_layouts(tmp_path, layout, left):
    for student in ('ada', 'bob', "Zoë O'Neil_12345_assignsubmission_file_", '书', '-x', '~y'):
        put(tmp_path / 'in' / student / layout / FILE)
        for name in left:
            put(tmp_path / 'in' / student / name, '')
            put(tmp_path / 'in' / student / layout / name, '')
            put(tmp_path / 'in' / name, '')
    students, beside = find_students(tmp_path / 'in', ASSIGNMENT)
    assert len(students) == 6 and not beside
    for home in students.values():
        notebooks, problems = read_submission(home, NAMES)
        assert notebooks.keys() == {NAMES[0]} and not problems


@pytest.mark.parametrize('layout', ['', 'resnet'])
def test_the_folder_of_one_student(tmp_path, layout):
    put(tmp_path / 'ada' / layout / FILE)
    put(tmp_path / 'ada' / 'data' / 'numbers.csv', '1')
    assert find_students(tmp_path / 'ada', ASSIGNMENT) == ({'ada': tmp_path / 'ada'}, [])


def test_a_notebook_above_the_students_is_named_and_the_class_is_found(tmp_path):
    put(tmp_path / FILE)
    put(tmp_path / 'ada' / FILE)
    put(tmp_path / 'bob' / 'resnet' / FILE)
    (tmp_path / 'cyd').mkdir()
    students, beside = find_students(tmp_path, ASSIGNMENT)
    assert list(students) == ['ada', 'bob', 'cyd'] and beside == [tmp_path / FILE]


def test_one_name_in_two_unicode_forms(tmp_path):
    put(tmp_path / 'Zoe\u0308' / FILE)
    assert list(find_students(tmp_path, ASSIGNMENT)[0]) == ['Zo\xeb']
    put(tmp_path / 'Zo\xeb' / FILE)
    with pytest.raises(Exception, match='Unicode'):
        find_students(tmp_path, ASSIGNMENT)


def unusable(folder, kind):
    path = folder / FILE
    folder.mkdir()
    if kind == 'link':
        put(folder.parent.parent / 'solution.ipynb')
        path.symlink_to(folder.parent.parent / 'solution.ipynb')
    elif kind == 'broken link':
        path.symlink_to('nowhere/else')
        path.unlink()
        path.symlink_to(folder.parent.parent / 'nowhere')
    elif kind == 'loop':
        put(folder.parent.parent / 'x', '')
        path.symlink_to(folder.parent.parent / 'loop')
        (folder.parent.parent / 'loop').symlink_to(path)
    elif kind == 'linked folder':
        put(folder.parent.parent / 'other' / FILE)
        (folder / 'resnet').symlink_to(folder.parent.parent / 'other')
    elif kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'deep':
        put(path)
        put(folder / 'old' / FILE)
    elif kind == 'upper case':
        put(path)
        put(folder / FILE.upper())
    elif kind == 'zip':
        put(folder / 'work.zip', '')
    elif kind == 'other name':
        put(folder / 'Untitled.ipynb')


@pytest.mark.parametrize('kind', ['link', 'broken link', 'loop', 'linked folder', 'pipe', 'deep',
                                  'upper case', 'zip', 'other name', 'nothing'])
def test_what_is_not_read_is_named(tmp_path, kind):
    put(tmp_path / 'in' / 'ada' / FILE)
    unusable(tmp_path / 'in' / 'bob', kind)
    students, _ = find_students(tmp_path / 'in', ASSIGNMENT)
    notebooks, problems = read_submission(students['bob'], NAMES)
    assert problems and all('bob' in problem for problem in problems)
    assert not notebooks or kind == 'upper case'
    assert not read_submission(students['ada'], NAMES).problems


def test_links_within_the_own_folder_say_nothing_new(tmp_path):
    put(tmp_path / 'ada' / 'resnet' / FILE)
    (tmp_path / 'ada' / FILE).symlink_to(f'resnet/{FILE}')
    (tmp_path / 'ada' / 'latest').symlink_to('resnet')
    notebooks, problems = read_submission(tmp_path / 'ada', NAMES)
    assert len(notebooks) == 1 and not problems


def test_a_student_that_is_a_link(tmp_path):
    put(tmp_path / 'in' / 'ada' / FILE)
    (tmp_path / 'in' / 'bob').symlink_to(tmp_path / 'in' / 'ada')
    students, _ = find_students(tmp_path / 'in', ASSIGNMENT)
    assert 'link' in read_submission(students['bob'], NAMES).problems[0]


def test_a_file_that_is_too_large(tmp_path):
    put(tmp_path / FILE)
    os.truncate(tmp_path / FILE, 200_000_000)
    assert 'clear its outputs' in read_submission(tmp_path, NAMES).problems[0]


@given(st.text(st.characters(exclude_characters='/\0'), min_size=1, max_size=20))
def test_any_name_is_taken_or_refused(tmp_path_factory, name):
    home = tmp_path_factory.mktemp('in') / f'a{name}'
    try:
        put(home / FILE)
    except (OSError, UnicodeEncodeError):
        return
    assume(not is_ignored(home.name))
    students, _ = find_students(home.parent, ASSIGNMENT)
    (student, where), = students.items()
    notebooks, problems = read_submission(where, NAMES)
    assert bool(notebooks) != bool(problems)
    if notebooks:  # then nbgrader finds this folder by its option, and no other
        (home.parent.parent / 'out' / student).mkdir(parents=True, exist_ok=True)
        pattern = only(student).removeprefix('--student=')
        assert [p.name for p in (home.parent.parent / 'out').glob(pattern)] == [student]
        assert [p.name for p in (home.parent.parent / 'out').glob(student)] == [student]
