"""tools/build_epub.py: when it makes no book. The books are tested in tests/browser."""
import pytest

from tools import build_epub, build_site


def test_a_failure_of_sphinx_is_told_as_such(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build_epub, 'write_sources', lambda *arguments, **options: None)
    monkeypatch.setattr(build_site.subprocess, 'call', lambda command, env: 2)
    assert build_epub.main([], tmp_path) == 1
    printed = capsys.readouterr()
    assert 'Sphinx failed' in printed.err and 'MB' not in printed.out


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--clean', 2)])
def test_help_and_unknown_arguments_leave_the_last_books(tmp_path, argument, status):
    page = tmp_path / 'build' / 'epub' / 'page'
    page.parent.mkdir(parents=True)
    page.touch()
    with pytest.raises(SystemExit) as end:
        build_epub.main([argument], tmp_path)
    assert end.value.code == status and page.exists()
