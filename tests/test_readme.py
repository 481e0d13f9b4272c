"""The README: its commands for one's own pictures as they are written, its picture, its results."""
import os
import re
import shlex
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from PIL import Image, ImageDraw
from rules import ROOT

from tools.front_picture import PICTURE, from_notebook


@pytest.fixture
def home(tmp_path):
    """A folder that looks like the repository, with my_pictures in it."""
    for name in ('scripts', 'utils.py', 'resnet.py', 'data'):
        (tmp_path / name).symlink_to(ROOT / name)
    random = np.random.RandomState(0)
    for name in ('circles', 'boxes'):
        (tmp_path / 'my_pictures' / name).mkdir(parents=True)
        for number in range(10):
            image = Image.new('RGB', (80, 60), tuple(random.randint(0, 100, 3).tolist()))
            draw = ImageDraw.Draw(image)
            shape = draw.ellipse if name == 'circles' else draw.rectangle
            left, top = random.randint(5, 30, 2).tolist()
            shape((left, top, left + 30, top + 25), fill='white')
            image.save(tmp_path / 'my_pictures' / name / f'{number}.jpg')
    return tmp_path


def test_commands_for_own_pictures(home):
    section = (ROOT / 'README.md').read_text().split('## Your own pictures')[1]
    commands = re.search(r'```\n(.*?)```', section, re.S).group(1).splitlines()
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command)
        assert words[0] == '.venv/bin/python'
        done = subprocess.run([sys.executable, *words[1:]], cwd=home, capture_output=True,
                              text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        if 'predict.py' in command:
            lines = done.stdout.splitlines()
            assert len(lines) == 4  # a fifth of 20
            for line in lines:
                assert len(re.findall(r'(circles|boxes) [01]\.\d{3}', line)) == 2
    assert sorted(os.listdir(home / 'runs')) == ['my_split', 'two']
    for run in ('my_split', 'two'):
        assert sorted(os.listdir(home / 'runs' / run)) == ['best.ckpt', 'last.ckpt']


def test_front_picture_is_the_one_that_notebook_02_has_stored():
    assert PICTURE.read_bytes() == from_notebook(), 'run tools/front_picture.py'


def test_results_are_those_that_the_notebooks_have_stored():
    table = (ROOT / 'README.md').read_text().split('## What comes out')[1].split('\n## ')[0]
    rows = re.findall(r'^\| .*?\]\((notebooks/\S+?)\)\) \| (.*?) \|', table, re.M)
    assert len(rows) == 5
    for path, here in rows:
        cells = nbformat.read(ROOT / path, as_version=4).cells
        printed = ''.join(output.get('text', '') for cell in cells
                          for output in cell.get('outputs', []))
        numbers = re.findall(r'(?<![×\d.] )(?<![\d.-])\d+(?:\.\d+)?(?! ×| layers)', here)
        missing = [number for number in numbers if not re.search(rf'\b{number}\b', printed)]
        assert not missing, f'{path} prints no {missing}'
