"""scripts/files.py: a file is written whole or not at all, a folder is for one process."""
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from rules import ROOT

from scripts import files
from scripts.files import locked, whole


def test_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / 'é.txt'
    for text in ('first, é', 'second'):
        with whole(path) as file:
            file.write(text)
            assert not path.exists() or path.read_text('utf-8') != text
        assert path.read_text('utf-8') == text
    with whole(path, 'wb') as file:
        file.write(b'\xff')
    assert path.read_bytes() == b'\xff'
    assert os.listdir(tmp_path) == ['é.txt']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize('before', [None, 'kept'])
def test_what_ends_early_leaves_all_as_it_was(tmp_path, error, before):
    path = tmp_path / 'a.txt'
    if before:
        path.write_text(before)
    with pytest.raises(error), whole(path) as file:
        file.write('half')
        raise error
    assert os.listdir(tmp_path) == (['a.txt'] if before else [])
    assert not before or path.read_text() == before


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / 'a.txt'
    with whole(path) as one, whole(path) as other:
        one.write('one')
        other.write('other')
    assert path.read_text() == 'one'  # the one that ended last
    assert os.listdir(tmp_path) == ['a.txt']


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / 'usual').touch()
    with whole(tmp_path / 'ours'):
        pass
    assert stat.S_IMODE(os.stat(tmp_path / 'ours').st_mode) == stat.S_IMODE(
        os.stat(tmp_path / 'usual').st_mode)


def test_longest_name_and_missing_folder(tmp_path):
    with whole(tmp_path / ('n' * 255)) as file:
        file.write('fits')
    with pytest.raises(FileNotFoundError), whole(tmp_path / 'missing' / 'a.txt'):
        pass


HOLD = """
import files, sys
with files.locked(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_for_one_process_at_a_time(tmp_path):
    other = subprocess.Popen([sys.executable, '-c', HOLD, tmp_path], cwd=ROOT / 'scripts',
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == 'held\n'
        with pytest.raises(BlockingIOError, match=f'{tmp_path} is in use'), locked(tmp_path):
            raise AssertionError('both have it')
    finally:
        other.kill()  # however it ends
        other.communicate()
    for _ in range(2):
        with locked(tmp_path):
            pass
    assert os.listdir(tmp_path) == []


def test_a_lock_ends_with_its_block_and_hides_no_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pass
    with pytest.raises(FileNotFoundError), locked(tmp_path / 'missing'):
        pass


def test_without_locks_there_is_none(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(95, 'Operation not supported')
    monkeypatch.setattr('scripts.files.fcntl.flock', refuses)
    with locked(tmp_path), whole(tmp_path / 'a.txt') as file:
        file.write('written')
    assert (tmp_path / 'a.txt').read_text() == 'written'


def test_a_signal_as_the_file_is_made_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(name, *_, **__):
        Path(name).touch()
        raise KeyboardInterrupt
    monkeypatch.setattr(files, 'open', interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / 'a.txt'):
        pass
    assert not list(tmp_path.iterdir())
