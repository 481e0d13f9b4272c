"""What students hand in: found in their folders and read.

Nothing here runs a student's code, and nothing that a student may hand in ends more than the
reading of his own folder.
"""
import filecmp
import glob
import os
import re
import unicodedata
from collections import namedtuple
from pathlib import Path

from assignments.rebuild import read_cells
from scripts.files import is_ignored
from tools.archives import is_archive, unpack

MOST = 10 ** 9  # bytes that a student's archive may hold
LINK = 'a link; only what lies in the folder itself is graded'

# A file that a platform has named after its student, in one folder with those of the class.
# Moodle without folders: Ada Lovelace_12345_assignsubmission_file_1_gradients.ipynb. Canvas, with
# the numbers of the student and of the file, and -1 where a name had been there before:
# lovelaceada_LATE_12345_67890_1_gradients-1.ipynb; without names anon_x4Yz9_67890_1_gradients.ipynb
MOODLE = re.compile('(?P<student>.+?_assignsubmission_)[a-z]+_(?P<title>.+)', re.DOTALL)
CANVAS = re.compile(r'(?:LATE_)?(?P<student>anon_[^_]+|.+?(?:_LATE|_late)?_\d+)_\d+_'
                    r'(?P<title>.+?)(?:-\d+)?\.\w+', re.DOTALL)

# A student's folder as it was read: {notebook's name: its cells}, and why some files were not.
Submission = namedtuple('Submission', 'notebooks problems')


class AssignmentError(Exception):
    """What stops the work, in words for the teacher."""


def find_students(folder, assignment):
    """({student: home}, [what lies beside the students' folders]), of a class or of one student.

    A home is a folder, or where a platform names files after their students, the list of those.
    Every sub-folder of a class is a student's. One student's own folder holds notebooks, or a
    folder `assignment` with notebooks, and no other folder with any. Raises AssignmentError.
    """
    if not folder.is_dir():
        raise AssignmentError(f'there is no folder {folder}, and no .zip of this name')
    entries = visible(folder)
    inside = [path for path in entries if path.is_dir() and not is_online_text(path)]
    named = [path for path in entries if path not in inside and sender(path)]
    beside = [path for path in entries if path not in inside and path not in named]
    holding = {path.name for path in inside if holds(path, is_notebook)}
    if holding == {assignment} or (not holding and any(map(is_notebook, beside))):
        return {normal(folder.resolve().name): folder}, []
    if not inside and not named:
        raise AssignmentError(
            f'no notebook found in {folder}. Wanted: STUDENT/{assignment}/*.ipynb or '
            f'STUDENT/*.ipynb for several students, *.ipynb for one; a .zip of a student lies in a '
            'folder with his name')
    students = {}
    for path in named:
        students.setdefault(sender(path), []).append(path)
    for path in inside:
        if (student := normal(path.name)) in students:
            raise AssignmentError(f'two folders in {folder} are both called {student!r}, once in '
                                  'another Unicode form, or files are named so: rename one')
        students[student] = path
    return students, beside


def the_class(folder):
    """An unpacked archive's folder of the class, which may be packed with a folder around it."""
    inside = visible(folder)
    if len(inside) == 1 and inside[0].is_dir() and '_assignsubmission_' not in inside[0].name:
        deeper = visible(inside[0])
        students = [path for path in deeper if path.is_dir() and holds(path, is_handed_in)]
        if any(map(sender, deeper)) or len(students) > 1:
            return inside[0]
    return folder


def is_online_text(folder):
    """Whether a folder is the second one that Moodle makes for a student, for typed text."""
    student, found, _ = folder.name.partition('_assignsubmission_onlinetext')
    return bool(found) and any(folder.parent.glob(f'{glob.escape(student)}_assignsubmission_file*'))


def sender(path):
    """The student after whom a platform has named a file, None where it has not."""
    name = normal(path.name)
    if match := MOODLE.fullmatch(name):
        return f'{match["student"]}file'  # as its folder would be called, also for other text
    if match := CANVAS.fullmatch(name):
        return re.sub(r'_late(?=_\d+$)', '', match['student'], flags=re.IGNORECASE)
    return None


def title(path):
    """The name that a student gave a notebook, without what a platform has put around it."""
    match = MOODLE.fullmatch(normal(path.stem)) or CANVAS.fullmatch(normal(path.name))
    return match['title'] if match else normal(path.stem)


def visible(folder):
    """A folder's files and folders in order, without what systems leave there unasked."""
    return sorted(path for path in folder.iterdir() if not is_ignored(path.name))


def is_notebook(path):
    return path.suffix.lower() == '.ipynb'


def normal(name):
    """A name in the one of its Unicode forms that other systems and tables use too."""
    return unicodedata.normalize('NFC', name)


def is_handed_in(path):
    return is_notebook(path) or is_archive(path)


def holds(folder, wanted):
    """Whether there is a file of a `wanted` name in a folder or below, links not followed."""
    try:
        return not folder.is_symlink() and any(
            holds(path, wanted) if path.is_dir() else wanted(path)
            for path in visible(folder))
    except (OSError, RecursionError):  # read_submission says it
        return False


def read_submission(home, names, skip_unknown=False, unpacked=None):
    """The notebooks that a student handed in: `names`, in one folder, which may lie deeper.

    home: as of find_students. skip_unknown: where notebooks lie in several folders, take those
    that lie highest. unpacked: a folder, for what lies in archives; None leaves them closed.
    """
    named = home if isinstance(home, list) else None
    folder, shown = (named[0].parent, named[0]) if named else (home, home)
    found, problems = [], []
    try:
        student = sender(named[0]) if named else folder.resolve().name
        # nbgrader would take b*b for bob too.
        if any(sign in '*?[' or unicodedata.category(sign) in ('Cc', 'Cs') for sign in student):
            raise ValueError('rename the folder or file: no * ? [ and no control '
                             'characters, in UTF-8')
        if folder.is_symlink() and not named:
            raise ValueError(LINK)
        archives = []
        search(named or visible(folder), os.path.realpath(folder), found, archives, problems)
        for path in archives if unpacked else []:
            place = unpacked / student / path.relative_to(folder)
            found += new_notebooks(path, place, found, problems)
    except (OSError, ValueError, RecursionError) as error:
        return Submission({}, [f'{shown}: {error}'])
    for path in [path for path in found if title(path) not in names]:
        found.remove(path)
        problems.append(f'{path}: no notebook of this assignment has this name')
    if len(homes := sorted({path.parent for path in found}, key=lambda home: len(home.parts))) > 1:
        problems.append(f'{shown}: notebooks in several folders ('
                        + ', '.join(str(home.relative_to(folder)) if home.is_relative_to(folder)
                                    else str(home) for home in homes)
                        + '); keep those that are to be graded')
        found = [path for path in found if skip_unknown and path.parent == homes[0]]
    notebooks = {}
    for path in found:
        try:
            if title(path) in notebooks:
                raise ValueError('a second notebook of this name')
            notebooks[title(path)] = read_cells(path)
        except (OSError, ValueError) as error:
            problems.append(f'{path}: {error}')
    if not notebooks and not problems:
        other = ', '.join(path.name for path in (named or visible(folder))[:5])
        problems.append(f'{shown}: no notebook' + f' (there is: {other})' * bool(other))
    return Submission(notebooks, problems)


def search(paths, home, found, archives, problems):
    """Adds the notebooks among `paths` and below to `found`, what is packed to `archives`.

    home: the student's folder.
    """
    for path in paths:
        if path.is_symlink():
            # One to something of the student's own says nothing new.
            if (is_notebook(path) or path.is_dir()) and not Path(
                    os.path.realpath(path)).is_relative_to(home):
                problems.append(f'{path}: {LINK}')
        elif path.is_dir():
            search(visible(path), home, found, archives, problems)
        elif is_archive(path) and path.is_file():
            archives.append(path)
        elif is_notebook(path) and path.is_file():
            found.append(path)
        elif is_notebook(path):
            problems.append(f'{path}: not a regular file')


def new_notebooks(archive, place, found, problems):
    """The notebooks in a student's archive, unpacked to `place`, that are not among `found`."""
    packed, archives = [], []
    try:
        problems += [f'{archive}: {line}' for line in unpack(archive, place, MOST)]
        search(visible(place), os.path.realpath(place), packed, archives, problems)
    except (OSError, ValueError) as error:
        problems.append(f'{archive}: {error}')
    problems += [f'{path}: an archive in an archive; unpack it' for path in archives]
    return [path for path in packed if not any(
        other.name == path.name and filecmp.cmp(other, path, shallow=False) for other in found)]
