"""Any file as a notebook: it is read, or refused by name; nothing else ends the run of all."""
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import notebook, run_notebooks

# nbformat gives a second cell of the same id, and one without, a new one.
pytestmark = pytest.mark.filterwarnings('ignore::nbformat.warnings.DuplicateCellId',
                                        'ignore::nbformat.warnings.MissingIDFieldWarning')

# With half characters (lone surrogates), which JSON can hold and a file cannot.
TEXT = st.text(st.characters(), max_size=20)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8)


def record(required, **optional):
    """A JSON object with these keys."""
    return st.fixed_dictionaries(required, optional=optional)


PRINTABLE = st.text(st.characters(exclude_categories=['Cs']), max_size=20)
DATA = st.dictionaries(st.sampled_from(['text/plain', 'text/html', 'text/latex', 'text/markdown',
                                        'image/png', 'image/svg+xml', 'application/javascript']),
                       PRINTABLE, max_size=3) | st.just({notebook.WIDGET_VIEW: {}})
TAGS = record({}, tags=st.lists(st.sampled_from(['headline', 'timing']), unique=True))
METADATA = record({}, widgets=JSON, kernelspec=record({'name': TEXT, 'display_name': TEXT}),
                  language_info=record({'name': TEXT}, codemirror_mode=JSON), title=JSON)
OUTPUT = st.one_of(
    record({'output_type': st.just('stream'), 'text': PRINTABLE | st.just('1 %\r2 %'),
            'name': st.sampled_from(['stdout', 'stderr'])}),
    record({'output_type': st.just('display_data'), 'data': DATA, 'metadata': st.just({})}),
    record({'output_type': st.just('execute_result'), 'data': DATA, 'metadata': st.just({}),
            'execution_count': st.integers(0)}),
    record({'output_type': st.just('error'), 'ename': PRINTABLE, 'evalue': PRINTABLE,
            'traceback': st.lists(PRINTABLE)}))
SOURCE = PRINTABLE | st.sampled_from(['', ' \n', '%%html\n<b>', '$x$ ![a](attachment:a)'])
IDS = st.integers(1).map(str)
CELL = st.one_of(
    record({'cell_type': st.just('code'), 'source': SOURCE, 'metadata': TAGS, 'id': IDS,
            'outputs': st.lists(OUTPUT, max_size=3), 'execution_count': st.none()}),
    record({'cell_type': st.sampled_from(['markdown', 'raw']), 'source': SOURCE,
            'metadata': TAGS, 'id': IDS},
           attachments=st.dictionaries(st.just('a'), DATA)))
NOTEBOOK = record({'cells': st.lists(CELL, max_size=4), 'metadata': METADATA,
                   'nbformat': st.just(4), 'nbformat_minor': st.just(5)})


@st.composite
def spoilt(draw):
    """A notebook in which one part, anywhere, is something else."""
    whole = place = draw(NOTEBOOK)
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans())):
            place[key] = draw(JSON)
            return whole
        place = place[key]


FILE = st.one_of(NOTEBOOK.map(json.dumps), spoilt().map(json.dumps), JSON.map(json.dumps)
                 ).map(str.encode) | st.binary()


def read(path):
    """The notebook, or None if it is refused as it should be."""
    try:
        return notebook.read(path)
    except ValueError as error:
        assert str(path) in str(error) and '\n' not in str(error)


@given(FILE)
def test_a_file_is_read_as_a_notebook_or_refused_by_name(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'any.ipynb'
        path.write_bytes(content)
        if nb := read(path):
            notebook.clear(nb)
            notebook.normalise(nb)
            notebook.write(path, nb)
            assert notebook.read(path) == nb
            assert isinstance(notebook.markdown(nb), str)


@pytest.mark.parametrize('in_place', [False, True])
@given(content=FILE)
def test_no_file_ends_the_run_of_all(in_place, content):
    def execute(nb, folder, name):
        """As if each cell had given what is stored with it."""
        for cell, outputs in zip(notebook.code_cells(nb), stored, strict=True):
            cell.outputs = outputs
        return 50

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_notebooks, 'execute', execute)
        path = Path(folder) / 'any.ipynb'
        path.write_bytes(content)
        nb = read(path)
        stored = [cell.outputs for cell in notebook.code_cells(nb)] if nb else []
        result = run_notebooks.run(path, in_place, Path(folder) / 'build')
        assert result.failed or nb
        assert '\n' not in run_notebooks.table([result]).split('headline\n')[1]
        if result.failed or not in_place:
            assert path.read_bytes() == content
        assert ((Path(folder) / 'build/any.html').exists() or in_place or not nb
                or 'no page can be made of it: ' in result.headline)
