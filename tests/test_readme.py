"""The README: its commands as they are written, its path, its pictures, its results."""
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from rules import ROOT
from test_export import new_net, state_of, write_pth

from tools import build_site, front_picture
from tools.build_epub import NAMES
from tools.notebook import NOTEBOOKS, markdown, read
from tools.run_notebooks import expected_minutes
from tools.urls import site_address

README = (ROOT / 'README.md').read_text('utf-8')
INSTALL = (ROOT / 'docs' / 'install.md').read_text('utf-8')
# A number with its unit, or with a decimal point: what a reader would look up.
NUMBER = re.compile(r'(?<![\w.-])\d+(?:\.\d+)?(?= %)|(?<![\w.-])\d+\.\d+')


def commands(text, heading, block=0):
    """The lines of a code block below a heading, the first unless `block` says which."""
    return re.findall(r'```\n(.*?)```', text.split(f'## {heading}\n')[1],
                      re.S)[block].splitlines()


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
    own = commands(README, 'Your own pictures, without a notebook')
    others = commands(README, 'Your own pictures, without a notebook', 1)
    workers = commands(INSTALL, 'Several machines')
    assert (len(own), len(others), len(workers)) == (3, 4, 1) and 'launch_local.py' in workers[0]
    write_pth(home / 'resnet18.pth', *state_of(new_net()))
    for command in own + others + workers:
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
    runs = 'fine_tuned', 'my_split', 'two'
    assert sorted(os.listdir(home / 'runs')) == [*runs]
    for run in runs:
        assert sorted(os.listdir(home / 'runs' / run)) == ['best.ckpt', 'last.ckpt']


def test_targets_of_the_start_exist():
    makefile = (ROOT / 'Makefile').read_text('utf-8')
    targets = re.findall(r'(?:^|`)make ([a-z-]+)', README, re.M)
    assert {'run', 'lab', 'test', 'site', 'gpu'} <= set(targets)
    missing = {target for target in targets if not re.search(rf'^{target}:', makefile, re.M)}
    assert not missing


@pytest.mark.parametrize(('language', 'folder'), [('en', ''), ('zh', 'zh/')])
def test_links_to_the_site_lead_to_what_is_made(language, folder):
    home, *others = build_site.pages(ROOT, language)
    links = re.findall(rf'\]\({re.escape(site_address())}([^)]*)\)', home.read_text('utf-8'))
    made = {folder, f'{NAMES[language]}.epub'}
    for page in others:
        address = f'{folder}{build_site.page_name(page, ROOT)}.html'
        text = markdown(read(page)) if page.suffix == '.ipynb' else ''
        made |= {address, *(f'{address}#{name}' for _, name in build_site.TRY.findall(text))}
    assert len(links) == 3 and set(links) <= made


def test_path_names_every_notebook_and_its_minutes():
    # tools/run_notebooks.py estimates the time to come from this table.
    assert sorted(expected_minutes(ROOT)) == sorted(path.stem for path in NOTEBOOKS.glob('*.ipynb'))


@pytest.mark.parametrize('name', front_picture.PICTURES)
def test_picture_is_the_one_that_its_notebook_has_stored(name):
    assert name not in front_picture.stale(), 'run python -m tools.front_picture'


def printed(notebook):
    """What each code cell of a notebook printed, and its captions: tests/test_captions.py finds
    their numbers in the data of their pictures.
    """
    stored = read(NOTEBOOKS / f'{notebook}.ipynb')
    return [*(''.join(output.get('text', '') for output in cell.get('outputs', []))
              for cell in stored.cells if cell.cell_type == 'code'),
            *(cell.source.split('<details>')[0] for cell in stored.cells
              if cell.source.startswith('**Figure'))]


def not_printed(claim, texts):
    """The numbers of `claim`, if no text has all of them; else nothing."""
    numbers = NUMBER.findall(claim)
    assert numbers, f'no number to check: {claim}'
    together = any(all(re.search(rf'(?<![\d.]){re.escape(number)}(?!\.?\d)', text)
                       for number in numbers) for text in texts)
    return [] if together else numbers


def test_results_are_those_that_the_notebooks_have_stored():
    table = README.split('## What comes out')[1].split('\n## ')[0]
    rows = re.findall(r'^\| .*?\]\(notebooks/(\w+)\.ipynb\)\) \| (.*?) \|', table, re.M)
    assert len(rows) == 7
    for notebook, claim in rows:
        missing = not_printed(claim, printed(notebook))
        assert not missing, f'no cell or caption of {notebook} has {missing}'


def test_chinese_results_are_the_english_ones():
    def rows(name, heading):
        table = (ROOT / name).read_text('utf-8').split(heading)[1].split('\n## ')[0]
        return [sorted(re.findall(r'\d+(?:\.\d+)?', re.sub(r'\[\d\d\]\(\S+?\)', '', row)))
                for row in re.findall(r'^\|.*', table, re.M)]

    assert rows('README_zh.md', '## 结果') == rows('README.md', '## What comes out')


@pytest.mark.parametrize('name', front_picture.PICTURES)
def test_caption_claims_only_what_is_stored(name):
    notebook, _ = front_picture.PICTURES[name]
    caption = re.search(rf'\]\(docs/{name}\)\n\n\*(.+)\*\n', README)[1]
    assert f'](notebooks/{notebook}.ipynb)' in caption
    assert not NUMBER.search(caption) or not not_printed(caption, printed(notebook))


def test_a_number_that_no_cell_prints_is_found():
    assert not_printed('rises to 61 %', ['61.5 %, 161 %', '0.61']) == ['61']
    assert not_printed('from 15 % to 61 %', ['15 %', '61 %']) == ['15', '61']
    assert not not_printed('a 1 × 1 convolution, 56 layers: 27.8 %', ['  27.8 (26 to 29)'])
