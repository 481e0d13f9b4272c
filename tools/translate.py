"""Keeps the Chinese notebooks in step with the English ones, whose words alone they change.

    python -m tools.translate                what is stale or missing, each with what has changed
    python -m tools.translate sync           copy cells, code and outputs; never touches a text
    python -m tools.translate check 02 ID…   these cells of 02 say again what the English ones say

The English notebook owns cells, their order and ids, code and outputs; the Chinese one the text of
its Markdown cells. Each of those carries in its metadata, as `translates`, the first 12 hex digits
of the SHA-256 of the English source that it says in Chinese. A cell without one is not translated.
"""
import argparse
import copy
import difflib
import hashlib
import json
import re
import subprocess
import sys

import nbformat

from scripts import commands
from tools.notebook import ROOT, read, select, write

SOURCE, SOURCE_ZH = ROOT / 'assignments' / 'source', ROOT / 'assignments' / 'source_zh'
FOLDERS = {ROOT / 'notebooks': ROOT / 'notebooks_zh', SOURCE: SOURCE_ZH,
           SOURCE / 'resnet': SOURCE_ZH / 'resnet'}
WORD = re.compile(r'\s+|\w+|[^\w\s]')


def pairs(prefix=''):
    """(English notebook, its Chinese twin), of those whose names begin with `prefix`."""
    return [(path, theirs / path.name) for ours, theirs in FOLDERS.items()
            for path in select(ours) if path.name.startswith(prefix)]


def digest(source):
    """What a Chinese cell notes of the English source that it translates."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def synced(english, chinese=None):
    """The Chinese notebook with everything of the English one but the words.

    chinese: as it was, or None. Its texts and their hashes stay as they are, even where the English
    text has changed: `stale` finds those. A new cell has the English text, and no hash.
    """
    result = copy.deepcopy(english)
    texts = {cell.id: cell for cell in chinese.cells} if chinese else {}
    for cell in result.cells:
        if cell.cell_type == 'markdown' and cell.id in texts:
            cell.source = texts[cell.id].source
            if mark := texts[cell.id].metadata.get('translates'):
                cell.metadata['translates'] = mark
    return result


def stale(english, chinese):
    """The English Markdown cells whose Chinese twin is missing or says an older text."""
    marks = {cell.id: cell.metadata.get('translates') for cell in chinese.cells}
    return [cell for cell in english.cells
            if cell.cell_type == 'markdown' and marks.get(cell.id) != digest(cell.source)]


def check(english, chinese, ids):
    """Notes that the Chinese cells `ids` say what the English ones say now.

    Raises ValueError for an id that no Markdown cell has in both.
    """
    sources = {cell.id: cell.source for cell in english.cells if cell.cell_type == 'markdown'}
    cells = {cell.id: cell for cell in chinese.cells}
    for cell_id in ids:
        if cell_id not in sources or cell_id not in cells:
            raise ValueError(f'no Markdown cell has the id {cell_id}')
        cells[cell_id].metadata['translates'] = digest(sources[cell_id])


def translated_source(path, cell_id, mark):
    """The English source that a hash stands for, from the repository's history; None if lost."""
    def git(*arguments):
        return subprocess.run(['git', *arguments], cwd=ROOT, capture_output=True, text=True).stdout

    name = path.relative_to(ROOT).as_posix()
    for commit in git('rev-list', 'HEAD', '--', name).split():
        try:
            cells = json.loads(git('show', f'{commit}:{name}'))['cells']
        except ValueError:  # the notebook was removed there
            continue
        for cell in cells:
            source = ''.join(cell['source'])
            if cell.get('id') == cell_id and digest(source) == mark:
                return source
    return None


def word_diff(old, new):
    """The lines of `new` that differ, with [-words that went-] and {+words that came+}."""
    before, after = WORD.findall(old), WORD.findall(new)
    pieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        gone, come = ''.join(before[a:b]), ''.join(after[c:d])
        if kind == 'equal':
            pieces.append(come)
            continue
        pieces += [f'[-{gone}-]'] * bool(gone) + [f'{{+{come}+}}'] * bool(come)
    changed = [line for line in ''.join(pieces).splitlines() if '[-' in line or '{+' in line]
    return '\n'.join(changed)


def report(path, twin):
    """A paragraph for each stale or missing cell of `twin`, the Chinese of the notebook `path`."""
    english = read(path)
    chinese = read(twin) if twin.exists() else nbformat.v4.new_notebook()
    marks = {cell.id: cell.metadata.get('translates') for cell in chinese.cells}
    for cell in stale(english, chinese):
        mark = marks.get(cell.id)
        if mark is None:
            yield f'{path.stem}, cell {cell.id}: not translated\n  {cell.source.splitlines()[0]}'
            continue
        old = translated_source(path, cell.id, mark)
        yield (f'{path.stem}, cell {cell.id}: the English text has changed\n'
               + (word_diff(old, cell.source) if old else cell.source))


def main(arguments):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tools.translate', description=(
        'List the cells whose Chinese text is missing or older than the English; sync copies all '
        'else; check marks cells as saying the same again.'))
    parser.add_argument('action', nargs='?', choices=['list', 'sync', 'check'], default='list')
    parser.add_argument('nb', nargs='?', help="check: how the notebook's name begins, such as 02")
    parser.add_argument('ids', nargs='*', metavar='ID', help='check: the ids of its cells')
    options = parser.parse_args(arguments)
    if options.action == 'check':
        found = pairs(options.nb) if options.nb else []
        if not options.ids or len(found) != 1:
            parser.error('check takes the beginning of one notebook\'s name and the ids of cells')
        [(path, twin)] = found
        chinese = read(twin)
        try:
            check(read(path), chinese, options.ids)
        except ValueError as error:
            parser.error(f'{path.name}: {error}')
        write(twin, chinese)
        return 0
    if options.action == 'sync':
        for path, twin in pairs():
            write(twin, synced(read(path), read(twin) if twin.exists() else None))
        return 0
    paragraphs = [text for pair in pairs() for text in report(*pair)]
    print('\n\n'.join(paragraphs) or 'Every cell is translated.')
    return int(bool(paragraphs))


if __name__ == '__main__':
    sys.exit(commands.run(main))
