"""The folded "In PyTorch" of each notebook: its code runs, in order, from top to bottom."""
import contextlib
import io
import json
import re
from pathlib import Path

import pytest
import torchvision
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parent.parent.parent
SUMMARY = '<details><summary>In PyTorch</summary>'
FOLD = re.compile(SUMMARY + r'\n\n```python\n(.*?)```\n</details>', re.S)


def folds(path):
    """The Python text of every fold of a notebook, in order."""
    cells = json.loads(path.read_text('utf-8'))['cells']
    return [code for cell in cells if cell['cell_type'] == 'markdown'
            for code in FOLD.findall(''.join(cell['source']))]


def mentions(path):
    return path.read_text('utf-8').count(SUMMARY)


NOTEBOOKS = [path for path in sorted(ROOT.glob('notebooks/*.ipynb')) if mentions(path)]


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_folds_run_in_order(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    about = {'classes': ['bowl', 'mug'], 'size': 64, 'mean': [0.5] * 3, 'std': [0.2] * 3}
    save_file(torchvision.models.resnet18(num_classes=2).state_dict(), 'net.safetensors',
              {'about': json.dumps(about)})  # as export.py writes it in notebook 13
    found, names = folds(path), {}
    assert len(found) == mentions(path)  # none is laid out in another way, and so left out
    with contextlib.redirect_stdout(io.StringIO()):
        for number, code in enumerate(found, start=1):
            exec(compile(code, f'{path.name}, fold {number}', 'exec'), names)


def test_there_are_folds():
    assert NOTEBOOKS
