"""Arrows point one way: what each room of the repository may import of the others."""
import ast

import pytest
from rules import ROOT

from tools.notebook import code_cells, read

COMMANDS = {'split_data', 'train', 'predict', 'export', 'launch_local'}  # of scripts/
ROOMS = {path.stem: 'scripts' for path in ROOT.glob('scripts/*.py')} | {
    name: name for name in ('utils', 'resnet', 'drawings', 'scripts', 'tools', 'records',
                            'benchmarks', 'tests', 'assignments')}
ALLOWED = {
    'utils': set(),
    'resnet': set(),
    'drawings': set(),
    'scripts': {'utils', 'resnet', 'scripts'},
    'notebooks': {'utils', 'resnet', 'drawings', 'scripts'},
    'assignments': {'utils', 'resnet'},
    'tools': {'utils', 'resnet', 'scripts', 'assignments', 'tools'},
    'records': {'utils', 'resnet', 'scripts', 'tools', 'records'},
    'benchmarks': {'utils', 'resnet', 'scripts', 'tools', 'records', 'benchmarks'},
    'docs': {'tools'},
}


def imported(source):
    """The modules that Python text imports anywhere, as written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def sources(room):
    """(path, Python text) of every file of a room; of a notebook its code cells without magics."""
    if room in ('notebooks', 'assignments'):
        for path in sorted(ROOT.glob(f'{room}/**/*.ipynb')):
            lines = '\n'.join(cell.source for cell in code_cells(read(path))).splitlines()
            yield path, '\n'.join(line for line in lines if not line.startswith(('%', '!')))
    for path in sorted([*ROOT.glob(f'{room}.py'), *ROOT.glob(f'{room}/**/*.py')]):
        yield path, path.read_text('utf-8')


def wrong_imports(room, source):
    return {name for name in imported(source)
            if ROOMS.get(name.split('.')[0], room) not in {*ALLOWED[room], room}}


@pytest.mark.parametrize('room', ALLOWED)
def test_arrows_point_one_way(room):
    found = {path.relative_to(ROOT): wrong for path, source in sources(room)
             if (wrong := wrong_imports(room, source))}
    assert not found


@pytest.mark.parametrize('room', ALLOWED)
def test_nothing_imports_a_command_line(room):
    for path, source in sources(room):
        names = {name.split('.')[-1] for name in imported(source)}
        assert not names & COMMANDS, path


def test_a_wrong_arrow_is_found():
    assert wrong_imports('utils', 'import resnet') == {'resnet'}
    assert wrong_imports('records', 'from benchmarks import bench') == {'benchmarks',
                                                                       'benchmarks.bench'}
    assert not wrong_imports('benchmarks', 'from records.seeds_04 import CELLS')
