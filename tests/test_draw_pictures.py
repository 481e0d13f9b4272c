"""The crockery that notebook 09 sorts: what is stored is what its program draws."""
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rules import ROOT

FOLDER = ROOT / 'data' / 'crockery'
SPEC = importlib.util.spec_from_file_location('draw', FOLDER / 'draw.py')
draw = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(draw)


@pytest.mark.parametrize('kind', draw.COUNTS)
def test_stored_are_drawn(tmp_path, kind):
    """But for what another JPEG encoder does."""
    stored = sorted((FOLDER / kind).iterdir())
    assert len(stored) == draw.COUNTS[kind]
    draw.draw_kind(tmp_path, kind, 5)
    for path in stored[:5]:
        with Image.open(path) as picture, Image.open(tmp_path / kind / path.name) as drawn:
            assert picture.size == drawn.size == (64, 64) and picture.mode == 'RGB'
            assert abs(np.asarray(picture, float) - np.asarray(drawn, float)).mean() < 3


def test_small_and_all_different():
    files = [path.read_bytes() for path in FOLDER.glob('*/*.jpg')]
    assert len(set(files)) == len(files) == sum(draw.COUNTS.values())
    assert sum(map(len, files)) < 3_000_000


def test_another_seed_draws_others(tmp_path):
    for seed in (0, 1, 1):
        draw.draw_kind(tmp_path / str(seed), 'mug', 2, seed)  # a second time is no error
    read = {seed: (tmp_path / seed / 'mug' / 'mug_000.jpg').read_bytes() for seed in '01'}
    assert read['0'] != read['1']


def test_colours_do_not_tell_classes_apart():
    """The mean colour of a class is that of another, as far as chance goes."""
    means = {kind: np.array([np.asarray(Image.open(path)).mean(axis=(0, 1))
                             for path in sorted((FOLDER / kind).iterdir())[:100]])
             for kind in draw.COUNTS}
    every = np.concatenate(list(means.values()))
    for rows in means.values():
        error = every.std(axis=0) / len(rows) ** 0.5
        assert (abs(rows.mean(axis=0) - every.mean(axis=0)) < 4 * error).all()


def test_help():
    told = subprocess.run([sys.executable, FOLDER / 'draw.py', '--help'], capture_output=True,
                          text=True, check=True).stdout
    assert '--seed' in told
