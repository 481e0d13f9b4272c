"""The ground floor of the tools: a notebook is found, read, cleaned and written, its cells used."""
import contextlib
import sys
from pathlib import Path

import nbformat

from scripts.files import whole

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / 'notebooks'

# What a stored notebook says of its kernel: nothing that differs between machines.
KERNELSPEC = {'display_name': 'Python 3 (ipykernel)', 'language': 'python', 'name': 'python3'}
LANGUAGE_INFO = {'name': 'python', 'pygments_lexer': 'ipython3'}
WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json'


def select(folder, prefixes=()):
    """The paths of `folder`'s notebooks whose names begin with one of `prefixes`; all without.

    Ends the program, with the names there are, where a prefix fits none.
    """
    paths = sorted(folder.glob('*.ipynb'))
    if not paths:
        sys.exit(f'There is no notebook in {folder}.')
    for prefix in prefixes:
        if not any(path.name.startswith(prefix) for path in paths):
            names = '\n  '.join(path.name for path in paths)
            sys.exit(f"No notebook's name begins with '{prefix}'. There are:\n  {names}")
    return [path for path in paths if not prefixes or path.name.startswith(tuple(prefixes))]


def read(path):
    """The notebook at `path`, in nbformat's version 4."""
    return nbformat.read(path, as_version=4)


def write(path, notebook):
    """Writes `notebook` to `path`, whole or not at all."""
    with whole(path) as file:
        file.write(nbformat.writes(notebook) + '\n')


def code_cells(notebook):
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def markdown(notebook):
    """All Markdown cells as one text."""
    return '\n\n'.join(cell.source for cell in notebook.cells if cell.cell_type == 'markdown')


def clear(notebook):
    """Removes every output, so that none of an earlier run can pass for one of this run."""
    for cell in code_cells(notebook):
        cell.outputs = []
        cell.execution_count = None


def normalise(notebook):
    """Reduces `notebook` to what is the same on every machine."""
    notebook.metadata = nbformat.from_dict(
        {'kernelspec': KERNELSPEC, 'language_info': LANGUAGE_INFO}
    )
    for cell in notebook.cells:
        tags = cell.metadata.get('tags')
        cell.metadata = nbformat.from_dict({'tags': tags} if tags else {})
    for cell in code_cells(notebook):
        # A widget lives in a kernel; stored, it is an empty placeholder.
        outputs = [output for output in cell.outputs if WIDGET_VIEW not in output.get('data', {})]
        cell.outputs = merge_streams(outputs)


def merge_streams(outputs):
    """Joins neighbouring pieces of one stream: where they break is chance."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and last.output_type == output.output_type == 'stream' and last.name == output.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def notebook_names(name, wanted):
    """What a notebook defines in its first code cell and in those with a line of `wanted`.

    name: its file's name without .ipynb. Import utils first, for its threads.
    Raises ValueError for a line that no cell has.
    """
    sources = [cell.source for cell in code_cells(read(NOTEBOOKS / f'{name}.ipynb'))]
    if missing := [line for line in wanted if not any(line in source for source in sources)]:
        raise ValueError(f'no cell of {name} has {missing[0]!r}')
    names = {}
    with contextlib.chdir(NOTEBOOKS):
        for source in sources:
            if source is sources[0] or any(line in source for line in wanted):
                exec(source.replace('%matplotlib inline', ''), names)
    return names
