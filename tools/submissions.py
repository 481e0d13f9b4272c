"""What students hand in: found in their folders and read.

Nothing here runs a student's code, and nothing that a student may hand in ends more than the
reading of his own folder.
"""
import os
import unicodedata
from collections import namedtuple
from pathlib import Path

from assignments.rebuild import read_cells
from scripts.files import is_ignored

LINK = 'a link; only what lies in the folder itself is graded'

# A student's folder as it was read: {notebook's name: its cells}, and why some files were not.
Submission = namedtuple('Submission', 'notebooks problems')


class AssignmentError(Exception):
    """What stops the work, in words for the teacher."""


def find_students(folder, assignment):
    """({student: folder}, [what lies beside the students' folders]), of a class or of one student.

    Every sub-folder of a class is a student's. One student's own folder holds notebooks, or a
    folder `assignment` with notebooks, and no other folder with any. Raises AssignmentError.
    """
    if not folder.is_dir():
        raise AssignmentError(f'there is no folder {folder}')
    entries = visible(folder)
    inside = [path for path in entries if path.is_dir()]
    beside = [path for path in entries if path not in inside]
    holding = {path.name for path in inside if holds_notebooks(path)}
    if holding == {assignment} or (not holding and any(map(is_notebook, beside))):
        return {normal(folder.resolve().name): folder}, []
    if not inside:
        raise AssignmentError(
            f'no notebook found in {folder}. Wanted: STUDENT/{assignment}/*.ipynb or '
            f'STUDENT/*.ipynb for several students, *.ipynb for one')
    students = {}
    for path in inside:
        if (student := normal(path.name)) in students:
            raise AssignmentError(f'two folders in {folder} are both called {student!r}, once in '
                                  'another Unicode form: rename one')
        students[student] = path
    return students, beside


def visible(folder):
    """A folder's files and folders in order, without what systems leave there unasked."""
    return sorted(path for path in folder.iterdir() if not is_ignored(path.name))


def is_notebook(path):
    return path.suffix.lower() == '.ipynb'


def normal(name):
    """A name in the one of its Unicode forms that other systems and tables use too."""
    return unicodedata.normalize('NFC', name)


def holds_notebooks(folder):
    """Whether there is something of a notebook's name in a folder or below, links not followed."""
    try:
        return not folder.is_symlink() and any(
            holds_notebooks(path) if path.is_dir() else is_notebook(path)
            for path in visible(folder))
    except (OSError, RecursionError):  # read_submission says it
        return False


def read_submission(folder, names, skip_unknown=False):
    """The notebooks of a student's folder: `names`, in one folder, which may lie deeper.

    skip_unknown: where notebooks lie in several folders, take those that lie highest.
    """
    found, problems = [], []
    try:
        student = folder.resolve().name
        # nbgrader would take b*b for bob too.
        if any(sign in '*?[' or unicodedata.category(sign) in ('Cc', 'Cs') for sign in student):
            raise ValueError('rename the folder: no * ? [ and no control characters, in UTF-8')
        if folder.is_symlink():
            raise ValueError(LINK)
        search(folder, os.path.realpath(folder), found, problems)
    except (OSError, ValueError, RecursionError) as error:
        return Submission({}, [f'{folder}: {error}'])
    for path in [path for path in found if normal(path.stem) not in names]:
        found.remove(path)
        problems.append(f'{path}: no notebook of this assignment has this name')
    if len(homes := sorted({path.parent for path in found}, key=lambda home: len(home.parts))) > 1:
        problems.append(f'{folder}: notebooks in several folders ('
                        + ', '.join(str(home.relative_to(folder)) for home in homes)
                        + '); keep those that are to be graded')
        found = [path for path in found if skip_unknown and path.parent == homes[0]]
    notebooks = {}
    for path in found:
        try:
            if normal(path.stem) in notebooks:
                raise ValueError('a second notebook of this name')
            notebooks[normal(path.stem)] = read_cells(path)
        except (OSError, ValueError) as error:
            problems.append(f'{path}: {error}')
    if not notebooks and not problems:
        other = ', '.join(path.name for path in visible(folder)[:5])
        problems.append(f'{folder}: no notebook' + f' (there is: {other})' * bool(other))
    return Submission(notebooks, problems)


def search(folder, home, found, problems):
    """Adds the notebooks in `folder` and below to `found`; `home` is the student's folder."""
    for path in visible(folder):
        if path.is_symlink():
            # One to something of the student's own says nothing new.
            if (is_notebook(path) or path.is_dir()) and not Path(
                    os.path.realpath(path)).is_relative_to(home):
                problems.append(f'{path}: {LINK}')
        elif path.is_dir():
            search(path, home, found, problems)
        elif is_notebook(path) and path.is_file():
            found.append(path)
        elif is_notebook(path):
            problems.append(f'{path}: not a regular file')
