"""The nbgrader course in assignments/: makes the release, and grades a folder of submissions.

    course.py release                         assignments/source/ to assignments/release/, and with
                                              the texts of source_zh/ to assignments/release_zh/
    course.py grade SUBMITTED [--out FOLDER]  autograde, grades.csv, feedback pages; the same
                                              command goes on where an earlier one has ended
    course.py marks GRADED                    feedback and grades.csv once more, when the
                                              free-text answers have been graded by hand

SUBMITTED holds STUDENT/resnet/*.ipynb (nbgrader's layout), or STUDENT/*.ipynb, or the notebooks
of one student, who is then called as the folder is.
"""
import argparse
import csv
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat

from scripts import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
from assignments.rebuild import rebuild
from scripts.files import locked, whole
from tools.notebook import ROOT, prepare, read, write
from tools.submissions import AssignmentError, find_students, read_submission

COURSE = ROOT / 'assignments'
ASSIGNMENT = 'resnet'


def environment():
    """The variables for nbgrader and its kernels: nothing that the user has set changes a mark."""
    env = dict(os.environ)
    prepare(env)
    # Without the user's own settings, which may name another database or header.
    env['JUPYTER_NO_CONFIG'] = '1'
    # nbgrader calls the command `alembic`, which is where Python is.
    env['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), env.get('PATH', '')])
    return env


@contextmanager
def plain_path(folder):
    """A path to `folder` without signs that mean something to nbgrader and its database."""
    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / 'course'
        link.symlink_to(folder.resolve())
        yield link


def nbgrader(folder, *arguments, log=None):
    """Runs an nbgrader command in a course folder; what it prints goes to the end of `log`."""
    with plain_path(folder) as root:
        done = subprocess.run(
            [sys.executable, '-m', 'nbgrader', *arguments, f'--CourseDirectory.root={root}'],
            cwd=root, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding='utf-8', errors='replace')
    if log:
        with log.open('a', encoding='utf-8') as file:
            file.write(f'== nbgrader {" ".join(arguments)} ==\n{done.stdout}\n')
    if done.returncode:
        last = '\n'.join(done.stdout.strip().splitlines()[-15:])
        raise AssignmentError(f'nbgrader {" ".join(arguments)} failed; its last words:\n{last}')


def make_course(folder):
    """Copies the course, without submissions and database, to `folder`, with a fresh release."""
    shutil.copytree(COURSE / 'source', folder / 'source',
                    ignore=shutil.ignore_patterns('.ipynb_checkpoints'))
    for script in COURSE.glob('*.py'):
        shutil.copy(script, folder)
    nbgrader(folder, 'generate_assignment', ASSIGNMENT)


def known_notebooks():
    """The names of the assignment's notebooks, in order."""
    return sorted(path.stem for path in (COURSE / 'source' / ASSIGNMENT).glob('*.ipynb'))


# ---------------------------------------------------------------------------------------------
# Release


def in_chinese(path):
    """The released notebook at `path` with the texts of source_zh/; code and tests are the same."""
    texts = {cell.id: cell.source for name in ('header.ipynb', f'{ASSIGNMENT}/{path.name}')
             for cell in read(COURSE / 'source_zh' / name).cells if cell.cell_type == 'markdown'}
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == 'markdown':
            solution = cell.metadata.get('nbgrader', {}).get('solution')
            cell.source = '在这里写你的回答（替换这一行）' if solution else texts[cell.id]
    return notebook


def release():
    """Makes assignments/release/ anew from assignments/source/."""
    with tempfile.TemporaryDirectory() as folder:
        make_course(Path(folder))
        target = COURSE / 'release' / ASSIGNMENT
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(folder) / 'release' / ASSIGNMENT, target)
    chinese = COURSE / 'release_zh' / ASSIGNMENT
    shutil.rmtree(chinese, ignore_errors=True)
    chinese.mkdir(parents=True)
    for path in target.iterdir():
        if path.suffix == '.ipynb':
            write(chinese / path.name, in_chinese(path))
        else:  # what a notebook reads
            shutil.copy(path, chinese)
    print(f'{len(known_notebooks())} notebooks for students are in '
          f'{target.relative_to(ROOT)}, and in Chinese in {chinese.relative_to(ROOT)}; '
          '`git status` says what has changed')


# ---------------------------------------------------------------------------------------------
# Grading


def grade(submitted, out=None, skip_unknown=False, limit=None):
    """Grades the submissions of a folder into another, new or of an earlier call.

    limit: seconds a cell may take, None for what nbgrader_config.py says.
    Returns {student, or what belongs to none: why there are no marks}. Raises AssignmentError
    where there is nothing to be graded, or no place for it.
    """
    submitted = Path(os.path.expanduser(submitted))
    out = Path(os.path.expanduser(out)) if out else submitted.resolve().with_name(
        f'{submitted.resolve().name}-graded')
    if out.resolve().is_relative_to(submitted.resolve()):
        raise AssignmentError(f'{out} lies among the submissions, and would be taken for one: '
                              'name another folder by OUT=folder')
    students, beside = find_students(submitted, ASSIGNMENT)
    ready, unmarked = read_all(students, skip_unknown)
    for path in beside:
        print(f'Left out: {path} belongs to no student')
        if path.suffix.lower() == '.ipynb' and not skip_unknown:
            unmarked[path.name] = 'beside the students\' folders'
    if not ready:
        raise AssignmentError(f'nothing is left to grade in {submitted}:\n{listed(unmarked)}')
    open_course(out)
    with locked(out):
        rows = read_marks(out)
        try:
            for student, notebooks in ready.items():
                try:
                    grade_student(out, student, notebooks, rows, limit)
                except AssignmentError as error:
                    print(f'{student}: NOT MARKED', flush=True)
                    unmarked[student] = str(error)
        except KeyboardInterrupt:
            print(f'\nInterrupted: {len(rows)} students are marked, in {out / "grades.csv"}; '
                  'the same command goes on', flush=True)
            raise
        show_marks(out, rows)
        unmarked_pages = make_feedback(out, rows)
    print(f'{len(students)} students seen, {len(students.keys() & rows.keys())} marked')
    return unmarked | unmarked_pages


def read_all(students, skip_unknown):
    """What can be graded as {student: {name: cells}}, and {student: why not}; prints the latter."""
    names, ready, unmarked = known_notebooks(), {}, {}
    for student, folder in students.items():
        submission = read_submission(folder, names, skip_unknown)
        if submission.notebooks and (skip_unknown or not submission.problems):
            ready[student] = submission.notebooks
            for problem in submission.problems:
                print(f'Left out: {problem}')
        else:
            unmarked[student] = '\n'.join(submission.problems)
    return ready, unmarked


def listed(unmarked):
    """Who has no marks, and why, as lines for the teacher."""
    lines = [f'  {student}: {line}' for student, why in unmarked.items()
             for line in why.splitlines()]
    names = ', '.join(f'{name}.ipynb' for name in known_notebooks())
    return '\n'.join([*lines, f'The notebooks are called {names}.', 'Rename or mend what is named '
                      'here, or leave it out with OPTIONS=--skip-unknown, and call the same '
                      'command again.'])


def open_course(out):
    """Makes a course in the new folder `out`, or sees that it has one of an earlier call."""
    if not os.path.lexists(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix='.unfinished-') as place:
            course = Path(place) / 'course'  # whole or not at all
            course.mkdir()
            make_course(course)
            write_marks(course, {})
            course.rename(out)
    elif not (out / 'marks.json').is_file():
        raise AssignmentError(f'{out} exists, and nothing is overwritten: move it away, or name '
                              'another folder by OUT=folder')
    ours = [path.relative_to(COURSE) for path in (*COURSE.glob('*.py'), *COURSE.glob('source/**/*'))
            if path.is_file() and '.ipynb_checkpoints' not in path.parts]
    if any(filecmp.cmpfiles(COURSE, out, ours, shallow=False)[1:]):
        raise AssignmentError(f'{out} was begun with other exercises or tests than there are now: '
                              'name a new folder by OUT=folder')
    done = subprocess.run([sys.executable, '-c', 'import grader'], cwd=out, env=environment(),
                          capture_output=True, text=True, errors='replace')
    if done.returncode:
        raise AssignmentError('the tests cannot be imported, so nothing was graded:\n'
                              + done.stderr)


def grade_student(out, student, notebooks, rows, limit):
    """Grades a student's {name: cells} and adds his row. Raises AssignmentError."""
    folder = out / 'submitted' / student / ASSIGNMENT
    written = {}
    for name, cells in notebooks.items():
        released = nbformat.read(out / 'release' / ASSIGNMENT / f'{name}.ipynb', 4)
        nb, odd = rebuild(cells, released)
        written[name] = nbformat.writes(nb) + '\n'
        if student not in rows:
            for sentence in odd:
                print(f'{student}, {name}: {sentence}')
    if student in rows:
        before = {path.stem: path.read_text('utf-8') for path in folder.glob('*.ipynb')}
        if written != before:
            raise AssignmentError('his notebooks have changed since he was marked; grade the new '
                                  'ones into another folder')
        print(f'{student}: marked before')
        return
    shutil.rmtree(folder, ignore_errors=True)  # of a call that was ended
    folder.mkdir(parents=True)
    for name, text in written.items():
        (folder / f'{name}.ipynb').write_text(text, 'utf-8')
    start = time.perf_counter()
    options = [f'--Execute.timeout={limit}'] if limit else []
    nbgrader(out, 'autograde', ASSIGNMENT, '--force', only(student), *options,
             log=out / 'nbgrader.log')
    rows[student] = marks_of(out, [student])[student]
    write_marks(out, rows)
    print(f'{student}: {len(notebooks)} notebooks graded in {time.perf_counter() - start:.0f} s',
          flush=True)


def only(student):
    """nbgrader's option for one student; it takes the name for a pattern of names."""
    return '--student=' + re.sub(r'[^\w!]', lambda sign: f'[{sign[0]}]', student)


# ---------------------------------------------------------------------------------------------
# Marks and feedback


def marks(graded):
    """Feedback pages and grades.csv again, for a folder that `grade` has made.

    Returns {student: why he has no pages}. Raises AssignmentError for another folder.
    """
    graded = Path(os.path.expanduser(graded))
    old = graded / 'grades.csv'
    if not (graded / 'gradebook.db').is_file() or not (graded / 'marks.json').is_file():
        raise AssignmentError(f'{graded} is no folder that `make grade` has made: it has no '
                              'gradebook.db and marks.json')
    with locked(graded):
        if old.exists():
            kept = old.with_name(f'grades-until-{time.strftime("%Y-%m-%d-%H%M%S")}.csv')
            shutil.copy(old, kept)
            print(f'the marks so far are kept as {kept.name}')
        found = marks_of(graded, read_marks(graded))
        write_marks(graded, found)
        show_marks(graded, found)
        return make_feedback(graded, found, '--force')


def marks_of(folder, students):
    """{student: row of grades.csv} from a graded folder's database."""
    from nbgrader.api import Gradebook  # late: it takes seconds

    names, rows = known_notebooks(), {}
    with plain_path(folder) as root, Gradebook(f'sqlite:///{root / "gradebook.db"}') as book:
        for student in students:
            submission = book.find_submission(ASSIGNMENT, student)
            notebooks = {notebook.name: notebook for notebook in submission.notebooks}
            points = [notebooks[name].score if name in notebooks else 0 for name in names]
            waiting = sum(g.max_score for notebook in notebooks.values() for g in notebook.grades
                          if g.needs_manual_grade)
            rows[student] = [*points, sum(points), submission.max_score, waiting]
    return rows


def read_marks(folder):
    """{student: row of grades.csv}, of those whose grading has come to its end."""
    try:
        return json.loads((folder / 'marks.json').read_text('utf-8'))
    except ValueError as error:
        raise AssignmentError(f'{folder / "marks.json"} has been changed: {error}') from error


def write_marks(folder, rows):
    """Writes marks.json, from which a later call goes on, and the same as a table."""
    with whole(folder / 'marks.json') as file:
        json.dump(rows, file, ensure_ascii=False, indent=1)
    with whole(folder / 'grades.csv', newline='') as file:
        csv.writer(file).writerows([
            ['student', *known_notebooks(), 'points', 'of', 'to grade by hand'],
            *([student, *row] for student, row in sorted(rows.items()))])


def show_marks(folder, rows):
    """Prints the points of all students."""
    width = max(map(len, rows), default=0)
    for student, (*_, points, most, waiting) in sorted(rows.items()):
        by_hand = f', {waiting:g} points wait for grading by hand' if waiting else ''
        print(f'{student:{width}}  {points:g} of {most:g}{by_hand}')
    print(f'Marks: {folder / "grades.csv"}', flush=True)


def make_feedback(folder, students, *options):
    """Makes the feedback pages that are missing, or all; returns {student: why he has none}."""
    def missing():
        return [student for student in students if any(
            not (folder / 'feedback' / student / ASSIGNMENT / f'{path.stem}.html').is_file()
            for path in (folder / 'autograded' / student / ASSIGNMENT).glob('*.ipynb'))]

    log, failed = folder / 'nbgrader.log', {}
    if options or missing():
        try:
            nbgrader(folder, 'generate_feedback', ASSIGNMENT, *options, log=log)
        except AssignmentError:
            pass  # whoever it was, the others may have pages
    for student in missing():
        try:
            nbgrader(folder, 'generate_feedback', ASSIGNMENT, '--force', only(student), log=log)
        except AssignmentError as error:
            failed[student] = f'is marked, but without feedback pages: {error}'
    print(f'Feedback: {folder / "feedback"}')
    return failed


def main(arguments):
    """Does what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(description='Release and grade the assignments.')
    kinds = parser.add_subparsers(dest='command', required=True)
    kinds.add_parser('release', help='make assignments/release/ again')
    grading = kinds.add_parser('grade', help='grade a folder of submissions')
    grading.add_argument('submitted', help='the folder')
    grading.add_argument('--out', help='a folder for the results, a new one or that of an earlier '
                                       'call, which goes on; default: SUBMITTED-graded')
    grading.add_argument('--skip-unknown', action='store_true',
                         help='leave out what has an unknown name or cannot be read')
    grading.add_argument('--limit', type=commands.number(int, 1),
                         help='seconds that a cell may take')
    again = kinds.add_parser('marks', help='write feedback and grades.csv again')
    again.add_argument('graded', help='a folder that `grade` has made')
    options = parser.parse_args(arguments)
    unmarked = {}
    try:
        if options.command == 'release':
            release()
        elif options.command == 'grade':
            unmarked = grade(options.submitted, options.out, options.skip_unknown, options.limit)
        else:
            unmarked = marks(options.graded)
    except AssignmentError as error:
        print(f'Stopped: {error}', file=sys.stderr)
        return 1
    if unmarked:
        print(f'Not done:\n{listed(unmarked)}', file=sys.stderr)
    return int(bool(unmarked))


if __name__ == '__main__':
    sys.exit(commands.run(main))
