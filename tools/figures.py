"""What the figures of a notebook hold, so that a test can compare what their captions claim.

A formatter in the kernel adds to each picture the numbers and words that were drawn; they are
taken out of the notebook again and kept beside the tests.
"""
import hashlib
import inspect
import json

from scripts.files import whole

JSON = 'application/json'


def drawn(figure):
    """The numbers of a figure's lines, bars, areas and images, rounded, and all its words."""
    import numpy as np

    numbers, words = [], [text.get_text() for text in figure.texts]
    for ax in figure.axes:
        numbers += [line.get_xydata() for line in ax.lines]
        numbers += [path.vertices for group in ax.collections for path in group.get_paths()]
        numbers += [group.get_offsets() for group in ax.collections]
        numbers += [patch.get_bbox().get_points() for patch in ax.patches
                    if hasattr(patch, 'get_bbox')]
        numbers += [np.unique(image.get_array())[[0, -1]] for image in ax.images]
        labels = [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(),
                  *ax.get_yticklabels(), *(ax.get_legend().texts if ax.get_legend() else [])]
        words += [text.get_text() for text in labels]
    flat = np.concatenate([np.ma.filled(np.ma.asarray(part, float), np.nan).ravel()
                           for part in numbers] or [np.zeros(0)])
    rounded = {float(f'{number:.4g}') for number in flat[np.isfinite(flat)]}
    return {'numbers': sorted(rounded), 'words': sorted({word for word in words if word})}


# Runs in the kernel before the first cell. `%matplotlib inline` forgets formatters of figures, so
# each cell says it again.
IN_KERNEL = f'''{inspect.getsource(drawn)}
get_ipython().events.register(
    'pre_run_cell', lambda *_, drawn=drawn: get_ipython().display_formatter.formatters[
        '{JSON}'].for_type('matplotlib.figure.Figure', drawn))
del drawn
'''


def digest(output):
    """What tells a stored picture from any other."""
    picture = ''.join(output['data']['image/png'].split())  # one line or many
    return hashlib.sha256(picture.encode()).hexdigest()[:16]


def take(notebook):
    """Takes out of an executed notebook what IN_KERNEL put in: {digest: what it holds}."""
    held = {}
    for cell in notebook.cells:
        for output in cell.get('outputs', []):
            if 'image/png' in output.get('data', {}) and JSON in output['data']:
                held[digest(output)] = output['data'].pop(JSON)
                output.get('metadata', {}).pop(JSON, None)
    return held


def kept_at(path):
    """Where the figures of the notebook at `path` are kept, beside the tests."""
    return path.parent.parent / 'tests' / 'figures' / f'{path.stem}.json'


def keep(path, held):
    """Writes what `take` has found in the notebook at `path`, a line for each picture."""
    file = kept_at(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'{json.dumps(key)}: {json.dumps(value)}' for key, value in held.items()]
    with whole(file) as out:
        out.write('{\n' + ',\n'.join(rows) + '\n}\n')
