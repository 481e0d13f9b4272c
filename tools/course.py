"""The nbgrader course in assignments/: makes the release, and grades a folder of submissions.

    course.py release                         assignments/source/ to assignments/release/, and with
                                              the texts of source_zh/ to assignments/release_zh/
    course.py grade SUBMITTED [--out FOLDER]  autograde, grades.csv, feedback pages; the same
                                              command goes on where an earlier one has ended
    course.py marks GRADED                    feedback and grades.csv once more, when the
                                              free-text answers have been graded by hand

SUBMITTED holds STUDENT/resnet/*.ipynb (nbgrader's layout), or STUDENT/*.ipynb, or the notebooks
of one student, who is then called as the folder is; or files that Moodle or Canvas has named after
their students. It may be a .zip of all that, and a student's folder may hold one.
"""
import argparse
import csv
import filecmp
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path

import nbformat
import psutil
from loky import cpu_count

from scripts import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
from assignments.rebuild import rebuild
from scripts.files import locked, whole
from tools.archives import is_archive, unpack
from tools.notebook import ROOT, prepare, read, write
from tools.submissions import AssignmentError, find_students, read_submission, the_class

COURSE = ROOT / 'assignments'
ASSIGNMENT = 'resnet'
CORES = cpu_count(only_physical_cores=True)  # that this process may use
UNFINISHED = '.unfinished'  # in the folder of the results: what students are graded in

OURS = threading.Lock()  # for the thread that writes into the folder of the results
RUNNING = set()  # nbgrader's processes


def environment():
    """The variables for nbgrader and its kernels: nothing that the user has set changes a mark."""
    env = dict(os.environ)
    prepare(env)
    # Without the user's own settings, which may name another database or header.
    env['JUPYTER_NO_CONFIG'] = '1'
    # Whoever is graded beside a student, his code runs as it would alone.
    env['OMP_NUM_THREADS'] = '1'
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
        process = subprocess.Popen(
            [sys.executable, '-m', 'nbgrader', *arguments, f'--CourseDirectory.root={root}'],
            cwd=root, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding='utf-8', errors='replace')
        RUNNING.add(process)
        try:
            said = process.communicate()[0]
        except BaseException:
            end(process)
            raise
        finally:
            RUNNING.remove(process)
    if log:
        with OURS, log.open('a', encoding='utf-8') as file:
            file.write(f'== nbgrader {" ".join(arguments)} ==\n{said}\n')
    if process.returncode:
        last = '\n'.join(said.strip().splitlines()[-15:])
        raise AssignmentError(f'nbgrader {" ".join(arguments)} failed; its last words:\n{last}')


def end(process):
    """Ends a process of nbgrader, and its kernels, which may be in an endless loop."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()


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
        # The answers' stub, in both languages, stays: by its checksum nbgrader finds it untouched.
        if cell.cell_type == 'markdown' and not cell.metadata.get('nbgrader', {}).get('solution'):
            cell.source = texts[cell.id]
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


def grade(submitted, out=None, skip_unknown=False, limit=None, jobs=None):
    """Grades the submissions of a folder or a .zip into a folder, new or of an earlier call.

    limit: seconds a cell may take, None for what nbgrader_config.py says. jobs: how many students
    are graded at a time, None for as many as this process may use cores.
    Returns {student, or what belongs to none: why there are no marks}. Raises AssignmentError
    where there is nothing to be graded, or no place for it.
    """
    submitted = Path(os.path.expanduser(submitted))
    packed = submitted.is_file() and is_archive(submitted)
    name = submitted.resolve().stem if packed else submitted.resolve().name
    out = Path(os.path.expanduser(out)) if out else submitted.resolve().with_name(f'{name}-graded')
    if out.resolve().is_relative_to(submitted.resolve()):
        raise AssignmentError(f'{out} lies among the submissions, and would be taken for one: '
                              'name another folder by OUT=folder')
    unpacked = out.with_name(f'{out.name}-unpacked')
    unmarked = {}
    if packed:
        submitted, unmarked = unpack_class(submitted, unpacked / 'class' / name, skip_unknown)
    students, beside = find_students(submitted, ASSIGNMENT)
    ready = read_all(students, skip_unknown, unpacked / 'students', unmarked)
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
            grade_class(out, ready, rows, unmarked, limit, jobs or CORES)
        except KeyboardInterrupt:
            print(f'\nInterrupted: {len(rows)} students are marked, in {out / "grades.csv"}; '
                  'the same command goes on', flush=True)
            raise
        show_marks(out, rows)
        unmarked |= make_feedback(out, rows)
    print(f'{len(students)} students seen, {len(students.keys() & rows.keys())} marked')
    return unmarked


def unpack_class(archive, folder, skip_unknown):
    """The folder of a class's archive, unpacked, and {archive: what was left out} if something was.

    Raises AssignmentError.
    """
    try:
        left = [f'{archive}: {line}' for line in unpack(archive, folder)]
    except (OSError, ValueError) as error:
        raise AssignmentError(f'{archive}: {error}') from error
    print(f'{archive} is unpacked in {folder}, where something may be mended')
    if skip_unknown:
        for line in left:
            print(f'Left out: {line}')
    return the_class(folder), {archive.name: '\n'.join(left)} if left and not skip_unknown else {}


def read_all(students, skip_unknown, unpacked, unmarked):
    """What can be graded as {student: {name: cells}}; adds to `unmarked` who cannot, and why."""
    names, ready = known_notebooks(), {}
    for student, home in students.items():
        submission = read_submission(home, names, skip_unknown, unpacked)
        if submission.notebooks and (skip_unknown or not submission.problems):
            ready[student] = submission.notebooks
            for problem in submission.problems:
                print(f'Left out: {problem}')
        else:
            unmarked[student] = '\n'.join(submission.problems)
    return ready


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


def grade_class(out, ready, rows, unmarked, limit, jobs):
    """Grades {student: {name: cells}}, but for those who have a row, `jobs` students at a time.

    Adds each one's row as soon as he is graded, or to `unmarked` why he has none.
    """
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # of a call that was killed
    texts = {student: rebuilt(out, student, notebooks, student not in rows)
             for student, notebooks in ready.items()}
    for student in [student for student in texts if student in rows]:
        written = texts.pop(student)
        folder = out / 'submitted' / student / ASSIGNMENT
        if written == {path.stem: path.read_text('utf-8') for path in folder.glob('*.ipynb')}:
            print(f'{student}: marked before')
        else:
            print(f'{student}: NOT MARKED')
            unmarked[student] = ('his notebooks have changed since he was marked; grade the new '
                                 'ones into another folder')
    progress = Progress(texts)
    calls = {student: (out, student, notebooks, limit) for student, notebooks in texts.items()}
    with closing(at_a_time(jobs, grade_student, calls)) as results:
        for student, result in results:
            try:
                seconds = result()
                with OURS:
                    rows[student] = marks_of(out, [student])[student]
                write_marks(out, rows)
                said = f'{len(texts[student])} notebooks graded in {seconds:.0f} s'
            except OSError:  # a full disk, for example: nobody else could be graded either
                raise
            except Exception as error:
                kind = '' if isinstance(error, AssignmentError) else f'{type(error).__name__}: '
                unmarked[student], said = f'{kind}{error}', 'NOT MARKED'
            print(f'{student}: {said}{progress.after(student, len(unmarked))}', flush=True)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)


def at_a_time(jobs, function, arguments):
    """Calls `function` for {key: arguments}, `jobs` at a time; yields (key, what gives its result).

    To be closed, which ends nbgrader's processes, if any are left.
    """
    waiting, running = iter(arguments.items()), {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                for key, values in islice(waiting, jobs - len(running)):
                    running[pool.submit(function, *values)] = key
                if not running:
                    return
                for job in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(job), job.result
        finally:
            while wait(running, timeout=0.1).not_done:
                for process in [*RUNNING]:
                    end(process)


class Progress:
    """How many students are done, and how long the others will take, by their notebooks."""

    def __init__(self, todo):
        self.sizes = {student: len(notebooks) for student, notebooks in todo.items()}
        self.students, self.start = 0, time.monotonic()
        self.done, self.all = 0, sum(self.sizes.values())

    def after(self, student, unmarked):
        """The words for a student's line when he is done; unmarked: how many are not marked."""
        self.students += 1
        self.done += self.sizes[student]
        minutes = (time.monotonic() - self.start) / self.done * (self.all - self.done) / 60
        left = (f'about {minutes // 60:.0f} h {minutes % 60:.0f} min' if minutes >= 60 else
                f'about {minutes:.0f} min' if minutes >= 1 else 'less than a minute')
        return (f' ({self.students} of {len(self.sizes)} done'
                + f', {unmarked} not marked' * bool(unmarked)
                + f', {left} to go' * (self.done < self.all) + ')')


def rebuilt(out, student, notebooks, aloud):
    """A student's {name: cells} as {name: text of a notebook}; prints what was odd, if `aloud`."""
    texts = {}
    for name, cells in notebooks.items():
        released = nbformat.read(out / 'release' / ASSIGNMENT / f'{name}.ipynb', 4)
        nb, odd = rebuild(cells, released)
        texts[name] = nbformat.writes(nb) + '\n'
        for sentence in odd if aloud else []:
            print(f'{student}, {name}: {sentence}')
    return texts


def grade_student(out, student, texts, limit):
    """Grades a student's {name: text}; returns the seconds it took. Raises AssignmentError.

    He has a course of his own, with a gradebook of his own, of which `out` gets the results. So
    students can be graded at once, and of one whose grading was killed nothing is left there.
    """
    start = time.perf_counter()
    (out / UNFINISHED).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out / UNFINISHED, ignore_cleanup_errors=True) as place:
        place = Path(place)
        for path in (out / 'source', out / 'release', *out.glob('*.py')):
            (place / path.name).symlink_to(path.resolve())
        copy_gradebook(out, place)
        folder = place / 'submitted' / student / ASSIGNMENT
        folder.mkdir(parents=True)
        for name, text in texts.items():
            (folder / f'{name}.ipynb').write_text(text, 'utf-8')
        options = [f'--Execute.timeout={limit}'] if limit else []
        log = out / 'nbgrader.log'
        nbgrader(place, 'autograde', ASSIGNMENT, only(student), *options, log=log)
        with suppress(AssignmentError):  # without pages; make_feedback says it
            nbgrader(place, 'generate_feedback', ASSIGNMENT, only(student), log=log)
        with OURS:
            copy_marks(place, out, student)
            for step in ('submitted', 'autograded', 'feedback'):
                shutil.rmtree(out / step / student, ignore_errors=True)  # of a call that was killed
                (out / step).mkdir(exist_ok=True)
                with suppress(FileNotFoundError):  # without pages
                    (place / step / student).rename(out / step / student)
    return time.perf_counter() - start


@contextmanager
def gradebook(folder):
    """A course folder's database, open."""
    from nbgrader.api import Gradebook  # late: it takes seconds

    warnings.filterwarnings('ignore', module='nbgrader')  # SQLAlchemy's, of how nbgrader uses it
    with plain_path(folder) as root, Gradebook(f'sqlite:///{root / "gradebook.db"}') as book:
        yield book


def copy_gradebook(out, place):
    """Copies the gradebook, also one that a killed process has left half written."""
    with OURS, closing(sqlite3.connect(out / 'gradebook.db')) as ours, \
            closing(sqlite3.connect(place / 'gradebook.db')) as his:
        ours.backup(his)


def copy_marks(place, out, student):
    """Copies what autograding has written into the gradebook in `place` into that in `out`."""
    with gradebook(place) as his, gradebook(out) as ours:
        ours.update_or_create_student(student)
        ours.update_or_create_submission(ASSIGNMENT, student)
        for notebook in his.find_submission(ASSIGNMENT, student).notebooks:
            for grade in notebook.grades:
                copy = ours.find_grade(grade.name, notebook.name, ASSIGNMENT, student)
                copy.auto_score = grade.auto_score
                copy.needs_manual_grade = grade.needs_manual_grade
            for comment in notebook.comments:
                copy = ours.find_comment(comment.name, notebook.name, ASSIGNMENT, student)
                copy.auto_comment = comment.auto_comment
        ours.db.commit()


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
    names, rows = known_notebooks(), {}
    with gradebook(folder) as book:
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
    """Makes the feedback pages that are missing, with options all; returns {student: why not}."""
    def missing():
        return [student for student in students if any(
            not (folder / 'feedback' / student / ASSIGNMENT / f'{path.stem}.html').is_file()
            for path in (folder / 'autograded' / student / ASSIGNMENT).glob('*.ipynb'))]

    log, failed = folder / 'nbgrader.log', {}
    if options:
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
    grading = kinds.add_parser('grade', help='grade a folder or a .zip of submissions')
    grading.add_argument('submitted', help='the folder, or a .zip')
    grading.add_argument('--out', help='a folder for the results, a new one or that of an earlier '
                                       'call, which goes on; default: SUBMITTED-graded')
    grading.add_argument('--skip-unknown', action='store_true',
                         help='leave out what has an unknown name or cannot be read')
    grading.add_argument('--limit', type=commands.number(int, 1),
                         help='seconds that a cell may take')
    grading.add_argument('--jobs', type=commands.number(int, 1),
                         help='how many students are graded at a time; default: as many as there '
                              'are cores that may be used')
    again = kinds.add_parser('marks', help='write feedback and grades.csv again')
    again.add_argument('graded', help='a folder that `grade` has made')
    options = parser.parse_args(arguments)
    unmarked = {}
    try:
        if options.command == 'release':
            release()
        elif options.command == 'grade':
            unmarked = grade(options.submitted, options.out, options.skip_unknown, options.limit,
                             options.jobs)
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
