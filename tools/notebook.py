"""The ground floor of the tools: a notebook is found, read, cleaned and written, its cells used."""
import contextlib
import re
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

# Variables that change what a kernel does or prints. Not: where MXNet finds files and how it uses
# a GPU, which are the user's to say.
FOREIGN = re.compile(r'PYTHON|IPYTHON|JUPYTER|MPL|MATPLOTLIB|DMLC_|'
                     r'MXNET_(?!HOME$|GLUON_REPO$|USE_FUSION$|GPU_|CUDA_|CUDNN_)')


def select(folder, prefixes=()):
    """The paths of `folder`'s notebooks whose names begin with one of `prefixes`; all without.

    Ends the program, with the names there are, where a prefix fits none.
    """
    paths = sorted(path for path in folder.glob('*.ipynb')
                   if path.is_file() and not path.name.startswith('.'))  # as macOS leaves them
    if not paths:
        sys.exit(f'There is no notebook in {folder}.')
    for prefix in prefixes:
        if not any(path.name.startswith(prefix) for path in paths):
            names = '\n  '.join(path.name for path in paths)
            sys.exit(f"No notebook's name begins with '{prefix}'. There are:\n  {names}")
    return [path for path in paths if not prefixes or path.name.startswith(tuple(prefixes))]


def read(path):
    """The notebook at `path`, in nbformat's version 4.

    Raises ValueError, which names the file, for anything but a valid notebook; OSError.
    """
    invalid = {}
    try:
        notebook = nbformat.read(path, as_version=4, capture_validation_error=invalid)
        nbformat.writes(notebook).encode()  # half a character, a lone surrogate, is valid JSON
    except OSError:
        raise
    except Exception as error:  # nbformat raises a whole family
        invalid = {type(error).__name__: error}
    for kind, error in invalid.items():
        reason = next(iter(str(error).splitlines()), kind)
        raise ValueError(f'{path} is not a valid notebook: {reason}') from error
    return notebook


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


def prepare(environment):
    """Leaves nothing in `environment` that would change what kernels do when they inherit it."""
    for name in [name for name in environment if FOREIGN.match(name)]:
        del environment[name]
    # Nor do start-up files in ~/.ipython or settings in ~/.config/matplotlib.
    environment['IPYTHONDIR'] = str(Path(sys.prefix) / 'ipython')
    environment['MPLCONFIGDIR'] = str(Path(sys.prefix) / 'matplotlib')
    # Progress bars are for a person who watches; in a stored output they are debris.
    environment['TQDM_DISABLE'] = '1'


def notebook_names(name, wanted):
    """What a notebook defines in its first code cell and in those with a line of `wanted`.

    name: its file's name without .ipynb. Import utils first, for its threads.
    Raises ValueError for a line that no cell has.
    """
    sources = [cell.source for cell in code_cells(read(NOTEBOOKS / f'{name}.ipynb'))]
    if missing := [line for line in wanted if not any(line in source for source in sources)]:
        raise ValueError(f'no cell of {name} has {missing[0]!r}')
    names, path = {}, sys.path[:]
    try:
        with contextlib.chdir(NOTEBOOKS):
            for source in sources:
                if source is sources[0] or any(line in source for line in wanted):
                    exec(source.replace('%matplotlib inline', ''), names)
    finally:
        sys.path[:] = path  # the notebooks' '..' is another folder from here
    return names
