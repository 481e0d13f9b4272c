"""Notebook 09 on a reader's own folder, with the one line changed that it says."""
import contextlib
import os

import utils

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image
from rules import ROOT, code_cells

LINE = 'source, size, grey = clothes, 28, True'
EPOCHS = 'max(8, -(-6400 // len(train_set[0])))'


@pytest.fixture
def own(tmp_path):
    """Three classes of colour photographs, large and small, few; and a file that is none."""
    random = np.random.RandomState(0)
    for name, count in (('猫', 5), ('a dog', 9), ('cow', 2)):
        (tmp_path / 'my pictures' / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.randint(0, 256, (30 + 5 * i, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / 'my pictures' / name / f'{i}.jpg')
    (tmp_path / 'my pictures' / 'cow' / 'notes.txt').write_text('moo')
    return tmp_path / 'my pictures'


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*')}


# A font without Chinese characters is no fault of ours.
@pytest.mark.filterwarnings('ignore:Glyph')
def test_runs_to_its_end_on_another_folder(own, capsys):
    utils.free_memory()
    before, repository = listing(own), {path.name for path in ROOT.iterdir()}
    cells = code_cells(nbformat.read(ROOT / 'notebooks/09_your_own_images.ipynb', as_version=4))
    source = '\n'.join(cell.source for cell in cells).replace('%matplotlib inline', '')
    assert source.count(LINE) == source.count(EPOCHS) == 1
    source = source.replace(LINE, f'source, size, grey = pathlib.Path({str(own)!r}), 32, False')
    names = {}
    with contextlib.chdir(ROOT / 'notebooks'):
        exec(source.replace(EPOCHS, '2'), names)
    plt.close('all')
    assert names['classes'] == ['a dog', 'cow', '猫']
    assert names['val_set'][0].shape == (4, 32, 32, 3)  # 2, 1 and 1
    printed = capsys.readouterr().out
    assert 'left out: cow/notes.txt: not a picture' in printed
    assert 'validation accuracy' in printed and '240 bags are called' in printed
    assert listing(own) == before
    assert {path.name for path in ROOT.iterdir()} == repository
    assert not os.path.exists(names['work'])
