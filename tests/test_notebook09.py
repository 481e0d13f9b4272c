"""Notebook 09 on a reader's own folders, with the one line changed that it says."""
import contextlib
import os

import utils

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image
from rules import ROOT, code_cells

LINE = 'source, size, grey = crockery, 64, False'
EPOCHS = 'num_epochs = max(8, math.ceil(6000 / len(train_set[0])))'


def draw_folder(folder, counts):
    """A folder of colour photographs, large and small, few of each class; and a file that is none.

    counts: {class: how many}. Returns the folder.
    """
    random = np.random.RandomState(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.randint(0, 256, (30 + 5 * i, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f'{i}.jpg')
    (folder / name / 'notes.txt').write_text('moo')
    return folder


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*')}


@pytest.fixture
def cells():
    """The source of each code cell; two epochs only."""
    nb = nbformat.read(ROOT / 'notebooks/09_your_own_images.ipynb', as_version=4)
    sources = [cell.source.replace('%matplotlib inline', '') for cell in code_cells(nb)]
    assert '\n'.join(sources).count(EPOCHS) == 1
    return [source.replace(EPOCHS, 'num_epochs = 2') for source in sources]


def line_cell(sources):
    """The cell with the line to change."""
    cell, = (source for source in sources if source.startswith(LINE))
    return cell


# A font without Chinese characters is no fault of ours.
@pytest.mark.filterwarnings('ignore:Glyph')
def test_another_folder_and_another(tmp_path, capsys, cells):
    """Every cell runs twice, one after the other; then the line changes once more."""
    utils.free_memory()
    own = draw_folder(tmp_path / 'my pictures', {'猫': 5, 'a dog': 9, 'cow': 2})
    other = draw_folder(tmp_path / 'grey ones', {'hot': 6, 'cold': 7})
    before, repository = listing(tmp_path), {path.name for path in ROOT.iterdir()}
    line, names = cells.index(line_cell(cells)), {}
    with contextlib.chdir(ROOT / 'notebooks'):
        cells[line] = f'source, size, grey = pathlib.Path({str(own)!r}), 32, False'
        for source in cells:
            exec(source, names)
            exec(source, names)
            plt.close('all')
        assert names['classes'] == ['a dog', 'cow', '猫']
        assert names['val_set'][0].shape == (4, 32, 32, 3)  # 2, 1 and 1
        cells[line] = f'source, size, grey = pathlib.Path({str(other)!r}), 28, True'
        for source in cells[line:]:
            exec(source, names)
            plt.close('all')
    assert names['classes'] == ['cold', 'hot'] and names['val_set'][0].shape == (2, 28, 28, 1)
    printed = capsys.readouterr().out
    assert printed.count('left out: cow/notes.txt: not a picture') == 2
    assert printed.count('left out: cold/notes.txt: not a picture') == 1
    assert printed.count('validation accuracy') == printed.count('100 shirts are called') == 3
    assert listing(tmp_path) == before
    assert {path.name for path in ROOT.iterdir()} == repository
    names['temporary'].cleanup()
    assert not os.path.exists(names['work'])


def test_a_photograph_of_a_telephone(tmp_path, cells):
    """A large lying one with its tag: the five files are those of the upright picture."""
    folder = draw_folder(tmp_path / 'photographs', {'a': 2, 'b': 2})
    pixels = np.zeros((3000, 4000, 3), dtype=np.uint8)
    pixels[:, 2000:] = 255  # what is white is below, once upright
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in folder.glob('a/*.jpg'):
        pixels[:64, :64] += 60  # no two are equal, JPEG or not
        Image.fromarray(pixels).save(path, exif=exif)
    names, stop = {}, next(i for i, cell in enumerate(cells) if cell.startswith('example ='))
    with contextlib.chdir(ROOT / 'notebooks'):
        for source in cells[:stop + 1]:
            exec(source.replace(LINE, f'source, size, grey = pathlib.Path({str(folder)!r}), 32, 0'),
                 names)
    plt.close('all')
    assert names['image'].height > names['image'].width
    changed, options = names['changes']['as it is'](names['image'])
    changed.save(names['file'], **options)
    seen = names['pictures'].read_picture(names['file'], 32)
    assert seen[:10].mean() < 10 and seen[-10:].mean() > 245


@pytest.mark.parametrize(('lost', 'won', 'probability'), [
    (0, 0, 1), (1, 1, 1), (0, 1, 1), (0, 6, 2 / 64), (10, 0, 2 / 1024), (1, 9, 22 / 1024),
    (5000, 5000, 1)])
def test_by_chance(cells, lost, won, probability):
    names = {}
    cell, = (cell for cell in cells if cell.startswith('def by_chance'))
    exec('import math\n' + cell, names)
    assert names['by_chance'](lost, won) == pytest.approx(probability)


def test_excerpt_of_the_split_is_its_code():
    """Section 2 shows how the side of a picture is chosen, in lines of scripts/splits.py."""
    nb = nbformat.read(ROOT / 'notebooks/09_your_own_images.ipynb', as_version=4)
    excerpt, = (cell.source.split('```python\n')[1].split('```')[0] for cell in nb.cells
                if 'How [`splits.py`](../scripts/splits.py) chooses' in cell.source)
    code = {line.strip() for line in (ROOT / 'scripts/splits.py').read_text().splitlines()}
    lines = [line.strip() for line in excerpt.splitlines() if not line.startswith('#')]
    assert len(lines) > 3 and set(lines) <= code
