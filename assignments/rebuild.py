"""A student's notebook, read as Jupyter does, and its cells put into the released notebook.

nbgrader alone gives up on all notebooks of a student who has copied or split one of its cells,
and gives no points for a test that was deleted. Here nothing runs a student's code.
"""
import json
from collections import namedtuple
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from traitlets.log import get_logger

LARGEST = 100_000_000  # bytes of a notebook that is read

# A student's cell. id and grade_id, by which it may be found in the release, are '' if missing.
Cell = namedtuple('Cell', 'kind source id grade_id attachments')


def rebuild_submitted(nb, resources):
    """The first step of autograding: a preprocessor, which nbgrader runs in the course's root."""
    ours = resources['nbgrader']
    released = nbformat.read(Path('release', ours['assignment'], f'{ours["notebook"]}.ipynb'), 4)
    new, odd = rebuild([read_cell(cell) for cell in nb.cells], released)
    for sentence in odd:
        get_logger().warning('%s, %s: %s', ours['student'], ours['notebook'], sentence)
    return new, resources


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
