"""Executes notebooks in order, and reports how each one went.

    python -m tools.run_notebooks [NB ...]             into build/: executed copies, HTML pages
    python -m tools.run_notebooks --in-place [NB ...]  back into notebooks/, for authors

NB is how a notebook's name begins: 04, or 04_fashion_mnist. Without it, all are executed.
"""

import argparse
import os
import re
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async, run_sync
from nbconvert import HTMLExporter
from nbformat import ValidationError
from tqdm import tqdm

from scripts import commands
from scripts.files import whole
from tools import figures
from tools import notebook as stored
from tools.notebook import ROOT, code_cells

CELL_TIMEOUT = 600  # seconds
# What can stop a cell: the last is an output that no notebook can hold.
STOPS = (CellExecutionError, CellTimeoutError, DeadKernelError, ValidationError)
MAX_MB = 1200  # what Binder is sure to have room for, with JupyterLab beside it


class NotebookError(Exception):
    """A notebook that did not run to its end, or whose outputs cannot be stored."""


@dataclass
class Result:
    """One row of the closing table."""

    name: str
    minutes: float
    peak_mb: str
    headline: str
    failed: bool


def execute(notebook, folder, name):
    """Runs the cells of `notebook` in `folder`; returns its peak memory in MB."""
    # No kernel folders: a kernel of the same name that the user has installed never
    # steps in, and jupyter_client falls back to the Python that runs this script.
    # Encryption, because ipykernel warns at each start without it.
    manager = AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), transport_encryption='auto'
    )
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        shutdown_kernel='immediate',  # a gentle shutdown makes the kernel report an interrupt
        resources={'metadata': {'path': str(folder)}},
    )
    env = dict(os.environ)
    stored.prepare(env)
    cells = code_cells(notebook)
    with (
        client.setup_kernel(env=env, cleanup_kc=True),
        tqdm(total=len(cells), desc=name, unit='cell', leave=False, disable=None) as bar,
        MemoryWatch(manager.provisioner.pid) as watch,
    ):
        ask(client, figures.IN_KERNEL)
        for number, cell in enumerate(cells, start=1):
            try:
                client.execute_cell(cell, notebook.cells.index(cell), execution_count=number)
            except STOPS as error:
                raise NotebookError(f'cell [{number}] {first_line(cell)}: {short(error)}') from None
            bar.update()
        return max(peak_memory(client), watch.peak)


def first_line(cell):
    """The first line of a cell, in quotation marks, to find it by."""
    return f"'{next(iter(cell.source.strip().splitlines()), '')}'"


def short(error):
    """One line that says what stopped a cell."""
    if isinstance(error, CellExecutionError):
        return f'{error.ename}: {error.evalue}'
    if isinstance(error, CellTimeoutError):
        return f'not finished after {CELL_TIMEOUT} s'
    if isinstance(error, ValidationError):
        return f'an output that a notebook cannot hold: {error.message}'
    return 'the kernel died, most often for want of memory'


class MemoryWatch(threading.Thread):
    """Notes the most memory, in MB, that a kernel and its child processes have at one time."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.kernel, self.peak, self.over = psutil.Process(pid), 0, threading.Event()

    def run(self):
        while not self.over.wait(0.5):
            with suppress(psutil.Error):  # a process may end at any moment
                family = [self.kernel, *self.kernel.children(recursive=True)]
                self.peak = max(self.peak, sum(map(memory, family)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def memory(process):
    """What a process adds to the memory in use, in MB: of what it shares, on Linux, its share."""
    info = process.memory_full_info()
    return getattr(info, 'pss', info.uss) / 2**20


def ask(client, code, **expressions):
    """Runs code in the kernel that no cell shows; what it says to the expressions."""
    request = client.kc.execute(
        code, silent=True, user_expressions=expressions, reply=True, timeout=60
    )
    return run_sync(ensure_async)(request)['content']['user_expressions']


def peak_memory(client):
    """The largest resident size that the kernel alone has had, in MB, between samples too."""
    if sys.platform == 'linux':  # where ru_maxrss would count the parent's memory before exec
        expression = "open('/proc/self/status').read().split('VmHWM:')[1].split()[0]"
    else:
        expression = "str(__import__('resource').getrusage(0).ru_maxrss / 1024)"
    kilobytes = ask(client, '', peak=expression)['peak']['data']['text/plain']
    return float(kilobytes.strip("'")) / 1024


def refuse_debris(notebook):
    """Stops where an output should not be stored: warnings, and what a progress bar leaves."""
    for cell in code_cells(notebook):
        for stream in (output for output in cell.outputs if output.output_type == 'stream'):
            if stream.name == 'stderr':
                raise NotebookError(
                    f'cell [{cell.execution_count}] {first_line(cell)} wrote to stderr; mend what '
                    f'it warns of, then repeat: {stream.text.strip()}'
                )
            if '\r' in stream.text:
                raise NotebookError(
                    f'cell [{cell.execution_count}] {first_line(cell)} wrote a carriage return, '
                    'as a progress bar does; use tqdm, which is silent here, then repeat'
                )


def headline(notebook):
    """The last line that the cell tagged `headline` wrote; a dash if there is none."""
    lines = []
    for cell in code_cells(notebook):
        if 'headline' in cell.metadata.get('tags', []):
            for output in cell.outputs:
                text = output.get('text') or output.get('data', {}).get('text/plain', '')
                lines += text.strip().splitlines()
    return lines[-1].strip() if lines else '-'


def write_copies(notebook, name, build):
    """Writes the executed notebook and its HTML page; NotebookError if that cannot be made."""
    build.mkdir(exist_ok=True)
    stored.write(build / f'{name}.ipynb', notebook)
    try:
        page, _ = HTMLExporter().from_notebook_node(notebook, {'metadata': {'name': name}})
    except Exception as error:  # nbconvert raises a whole family
        raise NotebookError(f'no page can be made of it: {error}') from None
    with whole(build / f'{name}.html') as file:
        file.write(page)


def run(path, in_place, build):
    """Executes one notebook, writes what came of it, and returns its row of the table."""
    start, peak, error = time.perf_counter(), '-', None
    try:
        notebook = stored.read(path)
    except (OSError, ValueError) as problem:
        return Result(path.stem, 0., peak, f'FAILED, {problem}', True)
    stored.clear(notebook)
    try:
        try:
            peak = f'{execute(notebook, path.parent, path.stem):.0f}'
        finally:
            held = figures.take(notebook)
            stored.normalise(notebook)
        if in_place:
            if float(peak) > MAX_MB:
                raise NotebookError(f'it took {peak} MB of memory; Binder wants at most {MAX_MB}')
            refuse_debris(notebook)
            stored.write(path, notebook)
            figures.keep(path, held)
    except NotebookError as problem:
        error = problem
    if not in_place:
        try:
            write_copies(notebook, path.stem, build)
        except NotebookError as problem:
            error = error or problem
    minutes = (time.perf_counter() - start) / 60
    return Result(path.stem, minutes, peak, f'FAILED, {error}' if error else headline(notebook),
                  bool(error))


def expected_minutes(root):
    """{name of a notebook: minutes} by the table of README.md, from which the rest is estimated."""
    readme = root / 'README.md'
    text = readme.read_text(encoding='utf-8') if readme.is_file() else ''
    rows = re.findall(r'^\|[^|]*\(notebooks/(\w+)\.ipynb\)[^|]*\|[^|]*\| ([\d.]+) \|', text, re.M)
    return {name: float(minutes) for name, minutes in rows}


def still_to_come(names, done, expected):
    """The minutes that `names` will take, at the pace of the results `done`; None if unknown."""
    if not all(expected.get(name) for name in [*names, *(row.name for row in done)]):
        return None
    pace = sum(row.minutes for row in done) / sum(expected[row.name] for row in done)
    return pace * sum(expected[name] for name in names)


def table(results):
    """The closing table, as text."""
    width = max(len(result.name) for result in results)
    lines = [f'{"notebook":{width}}  minutes  peak MB  headline']
    for row in results:
        outcome = 'FAILED' if row.failed else row.headline
        lines.append(f'{row.name:{width}}  {row.minutes:7.1f}  {row.peak_mb:>7}  {outcome}')
    return '\n'.join(lines)


def run_all(paths, in_place, root):
    """Runs the notebooks one after the other, and says of each what came of it; the results."""
    expected, results = expected_minutes(root), []
    for number, path in enumerate(paths, start=1):
        about = f', some {expected[path.stem]:g} min' if path.stem in expected else ''
        print(f'{path.stem}: running{about} …', flush=True)
        results.append(run(path, in_place, root / 'build'))
        row, rest = results[-1], [later.stem for later in paths[number:]]
        minutes = still_to_come(rest, results, expected) if rest else None
        more = f'; some {minutes:.0f} min to come' if minutes else ''
        print(f'{row.name}: {row.headline} ({row.minutes:.1f} min{more})', flush=True)
    return results


def main(arguments, root=ROOT):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tools.run_notebooks',
                                     description='Execute notebooks in order.')
    parser.add_argument('nb', nargs='*', help="how a notebook's name begins, such as 04")
    parser.add_argument('--in-place', action='store_true', help='store the outputs in notebooks/')
    options = parser.parse_args(arguments)

    paths = stored.select(root / 'notebooks', options.nb)
    results = run_all(paths, options.in_place, root)
    print(f'\n{table(results)}')
    if not options.in_place:
        pages = ', '.join(f'{row.name}.html' for row in results)
        print(f'\nThe pages with all pictures are in {root / "build"}: {pages}')
    return int(any(result.failed for result in results))


if __name__ == '__main__':
    sys.exit(commands.run(main))
