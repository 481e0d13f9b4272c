"""What students hand in: found in their folders, read as Jupyter does, put into the released form.

Nothing here runs a student's code, and nothing that a student may hand in ends more than the
reading of his own folder.
"""
import filecmp
import glob
import json
import os
import re
import unicodedata
from collections import namedtuple
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from scripts.files import is_ignored
from tools.archives import LARGEST, is_archive, unpack

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
# A student's cell. id and grade_id, by which it may be found in the release, are '' if missing.
Cell = namedtuple('Cell', 'kind source id grade_id attachments')


class AssignmentError(Exception):
    """What stops the work, in words for the teacher."""


# ---------------------------------------------------------------------------------------------
# Folders


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


# ---------------------------------------------------------------------------------------------
# One notebook


def read_cells(path):
    """The cells of a notebook that Jupyter opens, valid or not. Raises ValueError, OSError.

    Outputs are not among them, since all cells will run again.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f'more than {LARGEST // 10 ** 6} MB; clear its outputs')
    try:
        content = json.loads(path.read_bytes())  # whichever UTF it is in
        if 'cells' not in content:  # format 3
            content = nbformat.convert(nbformat.from_dict(content), 4)
        return [read_cell(cell) for cell in content['cells']]
    except OSError:
        raise
    except Exception as error:  # anything may be missing, of another type, or nested too deeply
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f'not a readable notebook ({reason})') from error


def read_cell(cell):
    """A cell of a notebook's JSON, as a Cell."""
    source, metadata = cell.get('source') or '', cell.get('metadata')
    source = ''.join(map(str, source)) if isinstance(source, list) else str(source)
    ours = metadata.get('nbgrader') if isinstance(metadata, dict) else None
    grade_id = ours.get('grade_id') if isinstance(ours, dict) else None
    kind = cell.get('cell_type')
    return Cell(kind if kind in ('code', 'markdown') else 'raw', encodable(source),
                *(name if isinstance(name, str) else '' for name in (cell.get('id'), grade_id)),
                pictures(cell.get('attachments')))


def pictures(attachments):
    """Those of a cell's attachments that a notebook may hold."""
    return {encodable(name): files for name, files in attachments.items()
            if isinstance(files, dict)
            and all(isinstance(data, str) and (kind + data).isascii()
                    for kind, data in files.items())} if isinstance(attachments, dict) else {}


def encodable(text):
    """Text with a question mark for every half character: valid in JSON, but not in a file."""
    return text.encode(errors='replace').decode()


def rebuild(cells, released):
    """A student's cells in the released notebook: (a valid notebook, what was odd: [sentence]).

    nbgrader's cells stand in their order, each as released, but for the student's text in those
    that he had to fill in. All other cells, changed and doubled ones among them, become ordinary
    cells behind the one that they stood behind.
    """
    nb, odd = nbformat.v4.new_notebook(metadata=released.metadata), {}
    place = find_places(cells, released.cells)
    chosen = {}  # of the released cell at a place: the number of the student's cell
    for at, target in enumerate(released.cells):
        same = [i for i, where in enumerate(place) if where == at]
        if same:
            # What he has filled in, but of what he was not to change the cell as it was.
            chosen[at] = min(same, key=lambda i: (is_like(cells[i], target) == is_solution(target),
                                                  cells[i].kind != target.cell_type, i))
            if is_ours(target) and len(same) > 1:
                odd.setdefault('cells that are there twice', []).append(name(target))
            if is_ours(target) and cells[chosen[at]].kind != target.cell_type:
                odd.setdefault('cells of another type', []).append(name(target))
        elif is_solution(target) and target.cell_type == 'code':
            odd.setdefault('not found, graded by what other cells define', []).append(name(target))
        elif is_ours(target):
            odd.setdefault('deleted cells put back', []).append(name(target))
    own, at, answers = {}, -1, {}
    for i, cell in enumerate(cells):
        target = released.cells[place[i]] if place[i] is not None else None
        if chosen.get(place[i]) == i:
            at = place[i]
            if is_solution(target) and target.cell_type == 'code':
                continue
        if target is not None and is_solution(target) and target.cell_type == 'markdown':
            answers.setdefault(place[i], []).append(cell)
        elif not (target is not None and is_ours(target) and is_like(cell, target)):
            own.setdefault(at, []).append(cell)
    for at, target in enumerate([None, *released.cells], -1):
        if target is not None and is_ours(target):
            nb.cells.append(filled(target, cells[chosen[at]] if at in chosen else None,
                                   answers.get(at, [])))
        nb.cells += [ordinary(cell, f'own-{at + 1}-{i}')
                     for i, cell in enumerate(own.get(at, []))]
    return nb, [f'{what}: {", ".join(names)}' for what, names in odd.items()]


def find_places(cells, targets):
    """For each of a student's cells the index of the released cell that it is, or None.

    By nbgrader's name; for cells that nobody has by it, by Jupyter's name, then by their text; an
    answer in words is also what stands where it should stand.
    """
    place = [None] * len(cells)

    def assign(matches):
        taken = set(place)
        for i, cell in enumerate(cells):
            if place[i] is None:
                place[i] = next((at for at, target in enumerate(targets)
                                 if at not in taken and matches(cell, target)), None)

    assign(lambda cell, target: is_ours(target) and cell.grade_id == name(target))
    assign(lambda cell, target: cell.id == target.id)
    assign(lambda cell, target: cell.source.strip() and is_like(cell, target))
    for at, target in enumerate(targets):
        if is_solution(target) and target.cell_type == 'markdown' and at not in place:
            before = [i for i, where in enumerate(place) if where is not None and where < at]
            after = [i for i, where in enumerate(place) if where is not None and where > at]
            for i in range(max(before, default=-1) + 1, min(after, default=len(cells))):
                if place[i] is None and cells[i].kind == 'markdown':
                    place[i] = at
    return place


def name(cell):
    """nbgrader's name of a released cell, '' for one of Jupyter's only."""
    return cell.metadata.get('nbgrader', {}).get('grade_id', '')


def is_ours(cell):
    return bool(name(cell))


def is_solution(cell):
    return cell.metadata.get('nbgrader', {}).get('solution', False)


def is_like(cell, target):
    """Whether a student's cell has the text of a released one."""
    return [line.rstrip() for line in cell.source.strip().splitlines()] == \
        [line.rstrip() for line in target.source.strip().splitlines()]


def filled(target, cell, answers):
    """A released cell with what the student wrote in it, as far as it is his to fill in."""
    new = nbformat.from_dict(target)
    if is_solution(target) and target.cell_type == 'code':
        # Not as released, which would undo what the student wrote in another cell.
        new.source = cell.source if cell else '# This cell was not in what was handed in.'
    elif is_solution(target):
        written = [a for a in answers if a.source.strip() and not is_like(a, target)]
        if written:  # nbgrader gives an untouched answer its 0 points
            new.source = '\n\n'.join(answer.source for answer in written)
        for answer in written:
            if answer.attachments:
                new.setdefault('attachments', {}).update(answer.attachments)
    return new


def ordinary(cell, cell_id):
    """A cell of the student's own, of which nbgrader knows nothing."""
    make = {'code': new_code_cell, 'markdown': new_markdown_cell, 'raw': new_raw_cell}[cell.kind]
    attached = {'attachments': cell.attachments} if cell.attachments and cell.kind != 'code' else {}
    return make(cell.source, id=cell_id, **attached)
