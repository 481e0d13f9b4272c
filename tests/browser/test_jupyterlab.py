"""JupyterLab in a browser, as a student meets it: Run All in notebook 02, the slider in 01."""
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect
from served import ROOT

START, RUN_ALL = 120, 900  # seconds; notebook 02 takes two minutes where nothing else runs
NOT_COPIED = shutil.ignore_patterns('.git', '.venv*', '.uv', 'build', '.*_cache', '__pycache__')
SETTINGS = {'notebook-extension/tracker': {'windowingMode': 'none'},  # all cells in the page
            'apputils-extension/notification': {'fetchNews': 'false', 'checkForUpdates': False}}
# In the status bar; the sign on the notebook's own bar is idle before there is a kernel.
IDLE = '#jp-main-statusbar :text-is("Python 3 (ipykernel) | Idle")'
ERRORS = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type*="stderr"]'
# The first `count` code cells have run: [7]:, not [ ]: or [*]:. Or a cell has failed.
HAVE_RUN = '''count => {
    if (document.querySelector('[data-mime-type="application/vnd.jupyter.error"]')) return true;
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].slice(0, count);
    return prompts.length === count && prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent));
}'''


def read(path):
    return json.loads(path.read_text('utf-8'))


def code_cells(notebook):
    return [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']


def clear(path):
    """Removes the stored outputs, which must not pass for those of this run."""
    notebook = read(path)
    for cell in code_cells(notebook):
        cell['outputs'], cell['execution_count'] = [], None
    path.write_text(json.dumps(notebook), 'utf-8')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for_server(process, address):
    """Returns when JupyterLab answers."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f'{address}/api', timeout=5)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f'JupyterLab has not started within {START} s; its words are above')


def private_settings(folder):
    """Environment variables that keep the user's own Jupyter and IPython out."""
    names = ('JUPYTER_CONFIG_DIR', 'JUPYTER_DATA_DIR', 'JUPYTER_RUNTIME_DIR', 'IPYTHONDIR',
             'JUPYTERLAB_SETTINGS_DIR', 'JUPYTERLAB_WORKSPACES_DIR')
    variables = {name: str(folder / name) for name in names}
    for name, setting in SETTINGS.items():
        path = folder / f'JUPYTERLAB_SETTINGS_DIR/@jupyterlab/{name}.jupyterlab-settings'
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(setting), 'utf-8')
    return variables


@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    """JupyterLab of the series' own .venv on a copy of the repository: (folder, address)."""
    folder = tmp_path_factory.mktemp('lab')
    copy = folder / 'resnet-notebooks'
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    for path in copy.glob('notebooks/*.ipynb'):
        clear(path)
    port, python = free_port(), os.environ.get('SERIES_PYTHON', '.venv/bin/python')
    process = subprocess.Popen(
        [ROOT / python, '-m', 'jupyterlab', '--no-browser', '--allow-root',
         f'--ServerApp.port={port}', '--ServerApp.port_retries=0', f'--ServerApp.root_dir={copy}',
         '--IdentityProvider.token='],
        env={**os.environ, **private_settings(folder)}, cwd=copy)
    address = f'http://127.0.0.1:{port}'
    try:
        wait_for_server(process, address)
        yield copy, address
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def opened(lab, browser, shoot):
    """A function that opens a notebook: (page, the notebook's JSON)."""
    context = browser.new_context(viewport={'width': 1280, 'height': 900})

    def open_notebook(number):
        folder, address = lab
        path, = folder.glob(f'notebooks/{number}_*.ipynb')
        page = context.new_page()
        # Reset, or else what the test before had open comes back.
        page.goto(f'{address}/lab/tree/notebooks/{path.name}?reset')
        page.locator(IDLE).wait_for(timeout=START * 1000)
        return page, read(path)

    yield open_notebook
    for page in context.pages:
        shoot(page, 'jupyterlab-at-the-end')  # shows where a failed test stopped
    context.close()


def select(cell):
    """Makes a cell the active one; while formulas are set, it may move away under the mouse."""
    for _ in range(20):
        cell.locator('.jp-InputPrompt').click()
        if 'jp-mod-active' in cell.get_attribute('class'):
            return
        cell.page.wait_for_timeout(500)
    raise AssertionError('the cell cannot be selected')


def choose(page, entry):
    """Picks an entry of the menu Run."""
    page.locator('.lm-MenuBar-item', has_text='Run').click()
    page.locator('.lm-Menu-item', has_text=entry).first.click()


def test_errors_and_warnings_are_seen(lab, opened):
    """What the tests below look for in vain is found where it is."""
    cells = [{'cell_type': 'code', 'source': source, 'metadata': {}, 'outputs': [],
              'execution_count': None}
             for source in ("import sys; print('careful', file=sys.stderr)", '1 / 0')]
    broken = {'cells': cells, 'metadata': read(next(lab[0].glob('notebooks/*.ipynb')))['metadata'],
              'nbformat': 4, 'nbformat_minor': 4}
    (lab[0] / 'notebooks/00_broken.ipynb').write_text(json.dumps(broken), 'utf-8')
    page, _ = opened('00')
    choose(page, 'Run All Cells')
    expect(page.locator(ERRORS)).to_have_count(2, timeout=START * 1000)


def test_run_all_in_notebook_02(opened, shoot):
    page, notebook = opened('02')
    cells = code_cells(notebook)
    stored = code_cells(read(next(ROOT.glob('notebooks/02_*.ipynb'))))
    pictures = sum('image/png' in output.get('data', {})
                   for cell in stored for output in cell['outputs'])
    choose(page, 'Run All Cells')
    page.wait_for_function(HAVE_RUN, arg=len(cells), timeout=RUN_ALL * 1000)
    assert page.locator(ERRORS).all_inner_texts() == []
    # The last outputs may arrive a moment after their prompts.
    page.wait_for_function('n => document.querySelectorAll(".jp-OutputArea img").length === n',
                           arg=pictures, timeout=30_000)
    page.locator('.jp-OutputArea img').last.scroll_into_view_if_needed()
    shoot(page, 'jupyterlab-02-run-all')


def test_slider_in_notebook_01_moves_the_picture(opened, shoot):
    page, notebook = opened('01')
    index, = (number for number, cell in enumerate(notebook['cells'])
              if 'widget' in cell['metadata'].get('tags', []))
    cell = page.locator('.jp-Notebook .jp-Cell').nth(index)
    above = len(code_cells({'cells': notebook['cells'][:index]}))
    select(cell)
    choose(page, 'Run All Above Selected Cell')
    page.wait_for_function(HAVE_RUN, arg=above, timeout=START * 1000)
    assert page.locator(ERRORS).all_inner_texts() == []
    select(cell)
    choose(page, 'Run Selected Cell and Do not Advance')
    picture = cell.locator('.jp-OutputArea img')
    picture.wait_for(timeout=START * 1000)
    before = picture.get_attribute('src')
    shoot(page, 'jupyterlab-01-slider-before')
    handle = cell.locator('.noUi-handle').first
    handle.focus()
    for _ in range(5):
        handle.press('ArrowRight')
    expect(cell.locator('.widget-readout').first).to_have_text('35')
    expect(picture).not_to_have_attribute('src', before, timeout=START * 1000)
    page.locator(IDLE).wait_for(timeout=START * 1000)
    picture.scroll_into_view_if_needed()
    shoot(page, 'jupyterlab-01-slider-after')
    assert page.locator(ERRORS).count() == 0
