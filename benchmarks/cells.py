"""A notebook's own cells, for scripts and tests that use what it defines."""
import contextlib
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / 'notebooks'


def notebook_names(notebook, wanted):
    """What a notebook defines in its first code cell and in those with a line of `wanted`.

    notebook: its file's name without .ipynb. Import utils first, for its threads.
    Raises ValueError for a line that no cell has.
    """
    stored = nbformat.read(NOTEBOOKS / f'{notebook}.ipynb', as_version=4)
    sources = [cell.source for cell in stored.cells if cell.cell_type == 'code']
    if missing := [line for line in wanted if not any(line in source for source in sources)]:
        raise ValueError(f'no cell of {notebook} has {missing[0]!r}')
    names = {}
    with contextlib.chdir(NOTEBOOKS):
        for source in sources:
            if source is sources[0] or any(line in source for line in wanted):
                exec(source.replace('%matplotlib inline', ''), names)
    return names
