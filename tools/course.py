"""The nbgrader course in assignments/: makes the release, and grades a folder of submissions.

    course.py release                         assignments/source/ to assignments/release/
    course.py grade SUBMITTED [--out FOLDER]  autograde, feedback pages, grades.csv
    course.py marks GRADED                    feedback and grades.csv once more, when the
                                              free-text answers have been graded by hand

SUBMITTED holds STUDENT/resnet/*.ipynb (nbgrader's layout), or STUDENT/*.ipynb, or the notebooks
of one student, who is then called as the folder is.
"""
import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / 'assignments'
ASSIGNMENT = 'resnet'


class AssignmentError(Exception):
    """What stops the work, in words for the teacher."""


def nbgrader(folder, *arguments, log=None):
    """Runs an nbgrader command in a course folder; what it prints goes to the end of `log`."""
    env = {**os.environ,
           # Without the user's own settings, which may name another database or header.
           'JUPYTER_NO_CONFIG': '1',
           # nbgrader calls the command `alembic`, which is where Python is.
           'PATH': os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])}
    done = subprocess.run([sys.executable, '-m', 'nbgrader', *arguments], cwd=folder, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          encoding='utf-8', errors='replace')
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


def release():
    """Makes assignments/release/ anew from assignments/source/."""
    with tempfile.TemporaryDirectory() as folder:
        make_course(Path(folder))
        target = COURSE / 'release' / ASSIGNMENT
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(folder) / 'release' / ASSIGNMENT, target)
    print(f'{len(known_notebooks())} notebooks for students are in '
          f'{target.relative_to(ROOT)}; `git status` says what has changed')


# ---------------------------------------------------------------------------------------------
# Submissions


def notebooks_in(folder):
    """The notebooks of a folder, by name."""
    return {path.stem: path for path in sorted(folder.glob('*.ipynb'))}


def find_submissions(folder):
    """{student: {notebook's name: path}} of a folder of submissions, in any of the layouts."""
    if not folder.is_dir():
        raise AssignmentError(f'there is no folder {folder}')
    if alone := notebooks_in(folder):
        return {folder.resolve().name: alone}
    students = {}
    for student in sorted(path for path in folder.iterdir() if path.is_dir()):
        inside = student / ASSIGNMENT
        if found := notebooks_in(inside if inside.is_dir() else student):
            students[student.name] = found
    if not students:
        raise AssignmentError(
            f'no notebook found in {folder}. Wanted: STUDENT/{ASSIGNMENT}/*.ipynb or '
            f'STUDENT/*.ipynb for several students, *.ipynb for one')
    return students


def read_submissions(students, skip_unknown):
    """The submissions as {student: {name: notebook}}; stops at what cannot be graded.

    skip_unknown: leave that out and say so.
    """
    known, problems, read = known_notebooks(), [], {}
    for student, paths in students.items():
        if not re.fullmatch(r'[\w.@-]+', student):
            problems.append(f'{student!r}: a student is named by letters, digits, . _ - and @')
            continue
        read[student] = {}
        for name, path in paths.items():
            if name not in known:
                problems.append(f'{path}: no notebook of this assignment has this name')
                continue
            try:
                nb = nbformat.read(path, as_version=4)
                nbformat.validate(nb)
                read[student][name] = nb
            except Exception as error:  # nbformat raises a whole family
                reason = str(error).strip().splitlines()[0]
                problems.append(f'{path}: not a readable notebook ({reason})')
    if problems:
        text = '\n'.join(f'  {line}' for line in problems)
        if not skip_unknown:
            raise AssignmentError(
                f'nothing was graded, because of\n{text}\nKnown names: '
                f'{", ".join(f"{name}.ipynb" for name in known)}.\nRename or mend them, or leave '
                'them out with OPTIONS=--skip-unknown')
        print(f'Left out:\n{text}')
    return {student: notebooks for student, notebooks in read.items() if notebooks}


def restore_cells(nb, released):
    """Puts back the cells of the release that a student has deleted; returns their names.

    nbgrader would not run a deleted test, and a cell that another needs may be gone.
    """
    def name(cell):
        return cell.metadata.get('nbgrader', {}).get('grade_id')

    place, restored = -1, []
    for cell in released.cells:
        if not name(cell):
            continue
        found = [i for i, other in enumerate(nb.cells) if name(other) == name(cell)]
        if found:
            place = max(place, found[0])
        else:
            place += 1
            nb.cells.insert(place, deepcopy(cell))
            restored.append(name(cell))
    return restored


# ---------------------------------------------------------------------------------------------
# Grading


def grade(submitted, out=None, skip_unknown=False, limit=None):
    """Grades the submissions of a folder into a new one; returns the new folder.

    limit: seconds a cell may take, None for what nbgrader_config.py says.
    """
    submitted = Path(submitted).expanduser()
    out = Path(out).expanduser() if out else submitted.resolve().with_name(
        f'{submitted.resolve().name}-graded')
    submissions = read_submissions(find_submissions(submitted), skip_unknown)
    if not submissions:
        raise AssignmentError(f'nothing is left to grade in {submitted}')
    if out.exists():
        raise AssignmentError(f'{out} exists, and nothing is overwritten: move it away, or name '
                              'another folder by OUT=folder')
    out.mkdir(parents=True)
    make_course(out)
    log, failed = out / 'nbgrader.log', []
    options = [f'--Execute.timeout={limit}'] if limit else []
    for student, notebooks in submissions.items():
        folder = out / 'submitted' / student / ASSIGNMENT
        folder.mkdir(parents=True)
        for name, nb in notebooks.items():
            released = nbformat.read(out / 'release' / ASSIGNMENT / f'{name}.ipynb', 4)
            if restored := restore_cells(nb, released):
                print(f'{student}, {name}: deleted cells put back: {", ".join(restored)}')
            nbformat.write(nb, folder / f'{name}.ipynb')
        start = time.perf_counter()
        try:
            nbgrader(out, 'autograde', ASSIGNMENT, '--student', student, *options, log=log)
        except AssignmentError as error:
            failed.append(f'{student}: {error}')
            print(f'{student}: FAILED', flush=True)
        else:
            print(f'{student}: {len(notebooks)} notebooks graded in '
                  f'{time.perf_counter() - start:.0f} s', flush=True)
    write_marks(out)
    if failed:
        raise AssignmentError('these could not be graded:\n' + '\n'.join(failed))
    return out


def marks(graded):
    """Feedback pages and grades.csv again, for a folder that `grade` has made."""
    graded = Path(graded).expanduser()
    if not (graded / 'gradebook.db').is_file():
        raise AssignmentError(f'{graded} is no folder that `make grade` has made: it has no '
                              'gradebook.db')
    old = graded / 'grades.csv'
    if old.exists():
        kept = old.with_name(f'grades-until-{time.strftime("%Y-%m-%d-%H%M%S")}.csv')
        old.rename(kept)
        print(f'the marks so far are kept as {kept.name}')
    write_marks(graded)


def write_marks(folder):
    """Writes the feedback pages and grades.csv from the database of a graded folder."""
    if any((folder / 'autograded').glob(f'*/{ASSIGNMENT}')):
        nbgrader(folder, 'generate_feedback', ASSIGNMENT, '--force', log=folder / 'nbgrader.log')
    header, rows = read_marks(folder)
    with (folder / 'grades.csv').open('w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([header, *rows])
    width = max(len(str(row[0])) for row in rows) if rows else 0
    for row in rows:
        waiting = f', {row[-1]:g} points wait for grading by hand' if row[-1] else ''
        print(f'{row[0]:{width}}  {row[-3]:g} of {row[-2]:g}{waiting}')
    print(f'Marks: {folder / "grades.csv"}\nFeedback: {folder / "feedback"}')


def read_marks(folder):
    """Header and rows of grades.csv: a student's points in each notebook, and in all."""
    from nbgrader.api import Gradebook  # late: it takes seconds

    names, rows = known_notebooks(), []
    with Gradebook(f'sqlite:///{folder.resolve() / "gradebook.db"}') as book:
        for submission in book.assignment_submissions(ASSIGNMENT):
            notebooks = {notebook.name: notebook for notebook in submission.notebooks}
            points = [notebooks[name].score if name in notebooks else 0 for name in names]
            waiting = sum(g.max_score for notebook in notebooks.values() for g in notebook.grades
                          if g.needs_manual_grade)
            rows.append([submission.student.id, *points, sum(points),
                         submission.max_score, waiting])
    return ['student', *names, 'points', 'of', 'to grade by hand'], sorted(rows)


def main(arguments):
    """Does what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(description='Release and grade the assignments.')
    commands = parser.add_subparsers(dest='command', required=True)
    commands.add_parser('release', help='make assignments/release/ again')
    grading = commands.add_parser('grade', help='grade a folder of submissions')
    grading.add_argument('submitted', help='the folder')
    grading.add_argument('--out', help='a new folder for the results; default: SUBMITTED-graded')
    grading.add_argument('--skip-unknown', action='store_true',
                         help='leave out what has an unknown name or cannot be read')
    grading.add_argument('--limit', type=int, help='seconds that a cell may take')
    again = commands.add_parser('marks', help='write feedback and grades.csv again')
    again.add_argument('graded', help='a folder that `grade` has made')
    options = parser.parse_args(arguments)
    try:
        if options.command == 'release':
            release()
        elif options.command == 'grade':
            grade(options.submitted, options.out, options.skip_unknown, options.limit)
        else:
            marks(options.graded)
    except AssignmentError as error:
        print(f'Stopped: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
