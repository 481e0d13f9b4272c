"""tools/urls.py: the repository's address is said once, and every link follows."""
import subprocess

import pytest
from rules import ROOT

from tools import urls

BADGE = 'x](https://mybinder.org/v2/gh/{}/HEAD?labpath=notebooks/01_a.ipynb)'
LINKS = [BADGE, 'git clone https://github.com/{}.git', 'https://github.com/{}/issues)',
         'https://colab.research.google.com/github/{}/blob/HEAD/a.ipynb']
SITE = '[site]({}), [a picture]({}a/b.html#c)'


@pytest.fixture
def root(tmp_path):
    """A repository that has been renamed from a/old to b/new in pyproject.toml only."""
    subprocess.run(['git', 'init', '--quiet', tmp_path], check=True)
    (tmp_path / 'pyproject.toml').write_text('[tool.series]\nrepository = "b/new"\n')
    (tmp_path / 'README.md').write_text('\n'.join(LINKS).format(*['a/old'] * len(LINKS)))
    return tmp_path


def test_every_link_to_the_repository_follows(root):
    assert urls.main(['--check'], root) == 1
    assert urls.main([], root) == 0
    assert (root / 'README.md').read_text() == '\n'.join(LINKS).format(*['b/new'] * len(LINKS))
    assert urls.main(['--check'], root) == 0
    assert urls.repository(root) == 'b/new'
    assert urls.binder('notebooks/01_a.ipynb', root) in BADGE.format('b/new')


@pytest.mark.parametrize(('name', 'address'), [
    ('b/new', 'https://b.github.io/new/'),
    ('B/New', 'https://b.github.io/New/'),
    ('B/b.github.io', 'https://b.github.io/'),
    ('b/c.github.io', 'https://b.github.io/c.github.io/'),
])
def test_links_to_the_site_follow(root, name, address):
    with open(root / 'README.md', 'a') as readme:
        readme.write(SITE.format(*['https://a.github.io/old/'] * 2))
    (root / 'pyproject.toml').write_text(f'[tool.series]\nrepository = "{name}"\n')
    assert urls.site_address(root) == address
    assert urls.main([], root) == 0
    assert (root / 'README.md').read_text().endswith(SITE.format(address, address))


def test_links_to_the_site_of_a_person_follow():
    before = b'https://a.github.io/ https://a.github.io/old/x https://b.github.io/ http://a.github.io'
    after = b'https://b.github.io/ https://b.github.io/x https://b.github.io/ http://a.github.io'
    assert urls.rewritten(before, {b'a/a.github.io', b'a/old'}, b'b/b.github.io') == after


def test_other_bytes_stay(root):
    other = ('https://github.com/a/older https://github.com/c/d https://a.github.io/older/ '
             'https://b.a.github.io/old/ \r\n{"a":1}\n\n')
    notebook = root / 'a.ipynb'
    notebook.write_bytes((other + BADGE.format('a/old') + other).encode())
    urls.main([], root)
    assert notebook.read_bytes() == (other + BADGE.format('b/new') + other).encode()


@pytest.mark.parametrize('name', ['3b1b/manim', '007/1', 'a-b/c.d_e', '0/g_2'])
def test_any_name_that_github_allows(root, name):
    (root / 'pyproject.toml').write_text(f'[tool.series]\nrepository = "{name}"\n')
    assert urls.main([], root) == 0
    assert (root / 'README.md').read_text() == '\n'.join(LINKS).format(*[name] * len(LINKS))


@pytest.mark.parametrize(('link', 'after'), [
    ('https://github.com/a/old.', 'https://github.com/b/new.'),
    ('https://github.com/a/old.git.', 'https://github.com/b/new.git.'),
    ('https://github.com/a/old', 'https://github.com/b/new'),
    *[(other, other) for other in (
        'https://github.com/a/old.github.io', 'https://github.com/a/old.gitlab',
        'https://github.com/a/old_2', 'https://github.com/a/old-2', 'https://github.com/A.a/old')],
])
def test_only_the_whole_name_is_a_link_to_the_repository(link, after):
    assert urls.rewritten(link.encode(), {b'a/old'}, b'b/new') == after.encode()


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--chekc', 2), ('README.md', 2)])
def test_help_and_unknown_arguments_change_nothing(root, argument, status):
    before = (root / 'README.md').read_bytes()
    with pytest.raises(SystemExit) as end:
        urls.main([argument], root)
    assert end.value.code == status and (root / 'README.md').read_bytes() == before


def test_links_lead_to_the_one_repository():
    assert not urls.changes(), '`make urls` has not run since the repository was renamed'


def test_no_other_copy_of_the_address():
    name, site = urls.repository().encode(), urls.site_address().encode()
    for path in set(urls.tracked()) - {ROOT / 'pyproject.toml'}:
        content = path.read_bytes()
        if path.suffix in ('.md', '.ipynb'):
            content = urls.rewritten(content, {name}, b'another/name')
        copied = name in content or site.removeprefix(b'https://') in content
        assert not copied, f'{path} has a copy that `make urls` does not reach'


def test_each_notebook_opens_itself_on_binder():
    for path in (ROOT / 'notebooks').glob('*.ipynb'):
        assert urls.binder(f'notebooks/{path.name}') in path.read_text('utf-8')
