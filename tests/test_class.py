"""A class of right, wrong and odd submissions, packed as Moodle packs it, killed while graded.

CLASS says how many students; `make test-class` takes 200, for a night.
"""
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from functools import cache
from itertools import chain, count, cycle, islice, zip_longest

import utils  # noqa: F401  before mxnet, for its threads

import nbformat
import psutil
import pytest
from solutions import ALTERNATIVES, WRONG
from test_assignments import (
    NAMES,
    TESTS,
    edited,
    points,
    read,
    released_with,
    run_cells,
    settings,
    solved,
)
from test_fuzz_grading import copy, lose_ids, lose_names, own_cell, retype, split

from tools import course
from tools.course import COURSE
from tools.notebook import ROOT

SIZE = int(os.environ.get('CLASS', 6))
SMALL = SIZE < 30
LIMIT = 60 if SMALL else 30  # seconds a cell may take
FIRST = NAMES[0]
FULL = {name: points(name, 'code') for name in NAMES}
PEOPLE = ['Ada Lovelace', '李小明', 'محمد علي', "Zo\xeb O'Neil", 'Łukasz Żółw', 'नेहा', '-x', 'Bob']
UNMARKED = {'no JSON', 'nothing'}


@cache
def changes(name):
    """{what: {cell: source}} of every wrong solution and every right one unlike ours."""
    wrong = {what: {cell: edited(name, cell, edits)} for what, cell, edits, _ in WRONG[name]}
    return {'ours': {}, **wrong, **ALTERNATIVES[name]}


def handed_in(name, changed):
    """A released notebook with our solutions in it, some of them changed."""
    ours = {c.id: c.source for c in read(name).cells if settings(c).get('solution')}
    return released_with(name, **ours | changed)


@cache
def worth(name, what):
    """The points of a notebook with a change, by the tests run in this process."""
    outcome = run_cells(name, changes(name)[what], TESTS[name])
    return sum(settings(c)['points'] for c in read(name).cells
               if c.id in TESTS[name] and outcome[c.id] is None)


def odd():
    """(what, {notebook: content}, {notebook: points} or None) of what else is handed in."""
    endless = handed_in(FIRST, {'terms': edited(FIRST, 'terms', [
        ('    x = x.copy()', '    while isinstance(block, nn.BatchNorm):\n        pass\n'
                             '    x = x.copy()')])})
    dying = solved(NAMES[1])
    dying.cells.insert(6, nbformat.v4.new_code_cell('import os; os._exit(1)'))
    deleted = solved(FIRST)
    deleted.cells = [c for c in deleted.cells if c.id not in ('imports', 'test_direct')]
    yield 'no JSON', {FIRST: '{"cells": ['}, None
    yield 'nothing', {}, None
    yield 'dying', {NAMES[1]: json.dumps(dying)}, {NAMES[1]: FULL[NAMES[1]]}
    yield 'endless', {FIRST: json.dumps(endless)}, {FIRST: FULL[FIRST] - 1}
    yield 'deleted cells', {FIRST: json.dumps(deleted)}, {FIRST: FULL[FIRST]}
    for edit in (copy, split, retype, own_cell, lose_names, lose_ids):
        nb = json.loads(json.dumps(solved(FIRST)))
        edit(nb, next(i for i, cell in enumerate(nb['cells']) if cell['id'] == 'terms'))
        yield edit.__name__, {FIRST: json.dumps(nb)}, {FIRST: FULL[FIRST]}
    yield 'all six', {name: json.dumps(solved(name)) for name in NAMES}, FULL


def usual():
    """As odd(), of the solutions, without end: one notebook each, every third student two.

    A small class has the first notebook only, whose tests take seconds.
    """
    every = zip_longest(*([(name, what) for what in changes(name)]
                          for name in (NAMES[:1] if SMALL else NAMES)))
    every = cycle([one for some in every for one in some if one])
    for i in count():
        chosen = dict(islice(every, 2 if i % 3 == 2 else 1))
        yield (str(chosen), {name: json.dumps(handed_in(name, changes(name)[what]))
                             for name, what in chosen.items()},
               {name: worth(name, what) for name, what in chosen.items()})


def pack(folder):
    """Packs the class into folder/class.zip; returns {student: (what, points of notebooks)}."""
    students = {}
    with zipfile.ZipFile(folder / 'class.zip', 'w', zipfile.ZIP_DEFLATED) as packed:
        strange = [*odd()][:3 if SMALL else None]
        for i, (what, notebooks, marks) in enumerate(islice(chain(strange, usual()), SIZE)):
            student = f'{PEOPLE[i % len(PEOPLE)]}_{1000 + i}_assignsubmission_file'
            students[student] = what, marks
            packed.writestr(f'{student}/report.pdf', 'what else he hands in')
            if i % 5 == 4:  # zipped by the student
                with zipfile.ZipFile(folder / 'work.zip', 'w') as work:
                    for name, content in notebooks.items():
                        work.writestr(f'my work/{name}.ipynb', content)
                packed.write(folder / 'work.zip', f'{student}/work.zip')
                continue
            for name, content in notebooks.items():
                packed.writestr(f'{student}/{name}.ipynb', content)
    return students


def grade(folder, log):
    """Starts grading the class; what it says goes to the file `log`."""
    command = [sys.executable, '-m', 'tools.course', 'grade', folder / 'class.zip',
               f'--limit={LIMIT}', *['--jobs=2'] * SMALL]
    with log.open('w') as file:
        return subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)


def rows(out):
    """The marks so far, {} before there are any."""
    path = out / 'marks.json'
    return json.loads(path.read_text('utf-8')) if path.exists() else {}


def wait_for(process, out, number):
    """Waits until so many students have marks, and the next ones are being graded."""
    while len(rows(out)) < number or not any((out / '.unfinished').glob('*/submitted')):
        assert process.poll() is None, 'it ended too early'
        time.sleep(0.2)


@pytest.fixture(scope='module')
def graded(tmp_path_factory):
    """{student: (what, points)}, the folder, and what the last call said; killed twice before."""
    folder = tmp_path_factory.mktemp('a class')
    sys.path.insert(0, str(COURSE))  # the grader, for what is expected
    students = pack(folder)
    sys.path.remove(str(COURSE))
    out = folder / 'class-graded'
    start = time.monotonic()

    process = grade(folder, folder / 'first')
    wait_for(process, out, 1)
    process.kill()  # its children go on, as after a crash
    process.wait()
    first = rows(out)

    process = grade(folder, folder / 'second')
    wait_for(process, out, SIZE // 3)
    family = [*psutil.Process(process.pid).children(recursive=True), process]
    for member in family:
        member.send_signal(signal.SIGKILL)
    process.wait()
    second = rows(out)

    process = grade(folder, folder / 'third')
    assert process.wait() == 1
    said = (folder / 'third').read_text('utf-8')
    assert said.count('marked before') == len(second) >= len(first)
    assert first.items() <= second.items() <= rows(out).items(), 'what was marked stays as it was'
    print(f'\n{SIZE} students in {(time.monotonic() - start) / 60:.1f} minutes, '
          f'on {course.CORES} cores, two kills among them')
    return students, folder, said


def table(out):
    with (out / 'grades.csv').open(encoding='utf-8', newline='') as file:
        return {row['student']: row for row in csv.DictReader(file)}


def test_everybody_gets_what_his_solutions_are_worth(graded):
    students, folder, _ = graded
    marks = table(folder / 'class-graded')
    assert marks.keys() == {student for student, (_, right) in students.items() if right}
    wrong = {student: (students[student], row) for student, row in marks.items()
             if any(float(row[name]) != students[student][1].get(name, 0) for name in NAMES)}
    assert not wrong


def test_who_has_no_marks_is_named(graded):
    students, _, said = graded
    named = said.partition('Not done:\n')[2]
    for student, (what, right) in students.items():
        assert (f'  {student}: ' in named) == (right is None) == (what in UNMARKED)


def test_the_lines_say_how_far_it_is(graded):
    _, _, said = graded
    assert re.search(r' graded in \d+ s \(\d+ of \d+ done, 2 not marked, .* to go\)\n', said)


def test_every_notebook_has_its_page_and_nothing_half_is_left(graded):
    students, folder, _ = graded
    out = folder / 'class-graded'
    for student in table(out):
        notebooks = {p.stem for p in (out / 'submitted' / student / 'resnet').glob('*.ipynb')}
        assert notebooks == students[student][1].keys()
        for step, suffix in (('autograded', '.ipynb'), ('feedback', '.html')):
            found = {p.stem for p in (out / step / student / 'resnet').glob(f'*{suffix}')}
            assert found == notebooks
    assert not (out / '.unfinished').exists()
    assert not [*folder.rglob('.unfinished-*')]


def scores(out):
    """{(student, notebook, cell): what the gradebook holds}, with the comments."""
    with closing(sqlite3.connect(out / 'gradebook.db')) as book:
        assert book.execute('pragma integrity_check').fetchall() == [('ok',)]
        return {row[:4]: row[4:] for kind, columns in (
            ('grade', 'auto_score, manual_score, extra_credit, needs_manual_grade'),
            ('comment', 'auto_comment, manual_comment, null, null')) for row in book.execute(
            f"select '{kind}', a.student_id, n.name, c.name, {columns} from {kind} g "
            'join submitted_notebook s on g.notebook_id = s.id join notebook n on s.notebook_id = '
            'n.id join submitted_assignment a on s.assignment_id = a.id '
            'join base_cell c on g.cell_id = c.id')}


def test_nbgrader_alone_gives_the_same(graded):
    """In one folder with one gradebook, one student after the other."""
    students, folder, _ = graded
    out, alone = folder / 'class-graded', folder / 'alone'
    marked = [student for student, (_, right) in students.items() if right]
    chosen = marked[-2:] if SMALL else marked[::len(marked) // 10]
    alone.mkdir()
    course.make_course(alone)
    for student in chosen:
        shutil.copytree(out / 'submitted' / student, alone / 'submitted' / student)
    course.nbgrader(alone, 'autograde', 'resnet', f'--Execute.timeout={LIMIT}')
    expected = {key: score for key, score in scores(out).items() if key[1] in chosen}
    assert scores(alone) == expected and {key[1] for key in expected} == {*chosen}
