"""tools/build_site.py: what the site's pages are made of. The pages are tested in a browser."""
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import build_site
from tools.notebook import markdown, read
from tools.urls import repository, site_address

EXPLORE = build_site.ROOT / 'docs' / 'static' / 'explore' / 'explore.js'


@pytest.fixture
def root(tmp_path):
    """A small repository."""
    (tmp_path / 'notebooks').mkdir()
    (tmp_path / 'benchmarks').mkdir()
    for name in ('resnet.py', 'GLOSSARY.md', 'curve.png'):
        (tmp_path / name).write_text('x')
    (tmp_path / 'README.md').write_text('# Home\n\n[a](notebooks/01_a.ipynb)\n![c](curve.png)\n')
    store(tmp_path, '01_a', new_markdown_cell('# One?'))
    return tmp_path


def store(root, name, *cells):
    path = root / 'notebooks' / f'{name}.ipynb'
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


@pytest.mark.parametrize(('link', 'leads_to'), [
    ('01_a.ipynb', '01_a.ipynb'),
    ('01_a.ipynb#2.-What-it-costs,-and-why', '01_a.ipynb#2-what-it-costs-and-why'),
    ('../README.md', '../index.md'),
    ('../GLOSSARY.md#shortcut', '../GLOSSARY.md#shortcut'),
    ('../resnet.py', 'HOME/blob/HEAD/resnet.py'),
    ('../benchmarks', 'HOME/tree/HEAD/benchmarks'),
    ('../curve.png', '../curve.png'),
    ('#takeaways', '#takeaways'),
    ('../missing.md', '../missing.md'),
    ('https://arxiv.org/abs/1512.03385', 'https://arxiv.org/abs/1512.03385'),
])
def test_link_leads_to_a_page_or_to_the_repository(root, link, leads_to):
    path = root / 'notebooks' / '01_a.ipynb'
    leads_to = leads_to.replace('HOME', f'https://github.com/{repository()}')
    assert build_site.adapt(f'see [it]({link})', path, root) == f'see [it]({leads_to})'
    assert build_site.adapt(f'<a href="{link}">', path, root) == f'<a href="{leads_to}">'


def test_pictures_from_elsewhere_become_words(root):
    badge = '[![Open in Binder](https://mybinder.org/badge_logo.svg)](https://mybinder.org/v2)'
    assert build_site.adapt(badge, root / 'README.md', root) == (
        '[Open in Binder](https://mybinder.org/v2)')


def test_anchors_are_named_as_sphinx_names_them(root):
    assert build_site.adapt('<a id="basic-block"></a>basic block', root / 'GLOSSARY.md', root) == (
        '[]{#basic-block}basic block')


def test_figure_is_described_by_the_words_below_it(root):
    path = store(root, '02_b', new_code_cell('plot()'),
                 new_markdown_cell('**Figure 1.** The slope $\\sigma$ of `x`,\n'
                                   'as in [He 2015](https://arxiv.org).\n\nMore prose.'),
                 new_code_cell('1 + 1'), new_markdown_cell('No figure.'))
    cells = nbformat.reads(build_site.adapt_notebook(path, root), 4).cells
    alt = 'Figure 1. The slope sigma of x, as in He 2015.'
    assert [cell.metadata for cell in cells] == [{'mystnb': {'image': {'alt': alt}}}, {}, {}, {}]


@pytest.mark.parametrize('words', ['**Try it** on the site: [turn λ]', '**动手试试**：[调一调 λ]'])
def test_an_explorable_stands_where_a_notebook_links_to_it(root, words):
    link = f'{words}(https://a.github.io/b/notebooks/02_b.html#factor).'
    path = store(root, '02_b', new_markdown_cell(f'**Figure 1.** Lines.\n\n{link}\n\nOn.'))
    [cell] = nbformat.reads(build_site.adapt_notebook(path, root), 4).cells
    assert cell.source == ('**Figure 1.** Lines.\n\n'
                           '<div class="explore" id="factor" data-explore="factor"></div>\n\nOn.')
    [cell] = nbformat.reads(build_site.adapt_notebook(path, root, explorables=False), 4).cells
    assert link in cell.source


@pytest.mark.parametrize(('folder', 'page'), [('notebooks', 'notebooks'),
                                              ('notebooks_zh', 'zh/notebooks_zh')])
def test_every_explorable_is_linked_once_at_its_own_page(folder, page):
    linked = []
    for path in sorted((build_site.ROOT / folder).glob('*.ipynb')):
        for address, name in build_site.TRY.findall(markdown(read(path))):
            assert address == f'{site_address()}{page}/{path.stem}.html'
            linked.append(name)
    names = re.findall("^    '([a-z]+)': {en:", EXPLORE.read_text('utf-8'), re.MULTILINE)
    assert len(names) > 5 and sorted(linked) == sorted(names)
    assert all(EXPLORE.with_name(f'{name}.js').is_file() for name in names)


def test_chinese_pages_share_files_that_are_equal(tmp_path):
    page = ('<img src="../_images/a.png"><script src="../_static/same.js?v=1"></script>'
            '<link href="../_static/own.css">')
    for folder, own in (('', 'English'), ('zh/', '中文')):
        for name, text in ((f'{folder}_static/same.js', 'same'), (f'{folder}_static/own.css', own),
                           (f'{folder}_images/a.png', 'a'), (f'{folder}notebooks/01.html', page)):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, 'utf-8')
    build_site.share_files(tmp_path)
    assert (tmp_path / 'notebooks' / '01.html').read_text('utf-8') == page
    chinese = (tmp_path / 'zh' / 'notebooks' / '01.html').read_text('utf-8')
    expected = page.replace('_images', '../_images').replace('_static/same', '../_static/same')
    assert chinese == expected
    assert not (tmp_path / 'zh' / '_static' / 'same.js').exists()
    assert (tmp_path / 'zh' / '_static' / 'own.css').read_text('utf-8') == '中文'
    assert (tmp_path / '_static' / 'own.css').read_text('utf-8') == 'English'


def test_sources_are_the_readme_the_texts_and_the_notebooks(root):
    source = root / 'build' / 'site-source'
    source.mkdir(parents=True)
    build_site.write_sources(root, source)
    assert sorted(path.relative_to(source).as_posix() for path in source.rglob('*.*')) == [
        'GLOSSARY.md', 'curve.png', 'index.md', 'notebooks/01_a.ipynb']
    index = (source / 'index.md').read_text()
    assert index.startswith('# Home') and index.index('notebooks/01_a\n') < index.index('GLOSSARY')


def test_chinese_pages_and_their_twins(root):
    (root / 'notebooks_zh').mkdir()
    nbformat.write(new_notebook(cells=[new_markdown_cell('# 一？')]),
                   root / 'notebooks_zh' / '01_a.ipynb')
    (root / 'README_zh.md').write_text('# 首页\n\n[a](notebooks_zh/01_a.ipynb)\n')
    (root / 'GLOSSARY.md').write_text('[01](notebooks/01_a.ipynb)')
    names = [[build_site.page_name(path, root) for path in build_site.pages(root, language)]
             for language in ('en', 'zh')]
    assert names == [['index', 'GLOSSARY', 'notebooks/01_a'],
                     ['index', 'GLOSSARY', 'notebooks_zh/01_a']]
    assert build_site.twins(root, 'en') == {
        'index': 'zh/index.html', 'GLOSSARY': 'zh/GLOSSARY.html',
        'notebooks/01_a': 'zh/notebooks_zh/01_a.html'}
    assert build_site.twins(root, 'zh')['notebooks_zh/01_a'] == '../notebooks/01_a.html'
    # The glossary, which has both languages, leads to each one's own notebooks.
    text = (root / 'GLOSSARY.md').read_text()
    assert build_site.adapt(text, root / 'GLOSSARY.md', root, 'zh') == (
        '[01](notebooks_zh/01_a.ipynb)')
    assert build_site.adapt(text, root / 'GLOSSARY.md', root) == text


def test_a_failure_of_sphinx_is_told_as_such(root, monkeypatch, capsys):
    monkeypatch.setattr(build_site, 'copy_mathjax', lambda folder: None)
    # Before it wrote a page.
    monkeypatch.setattr(build_site.subprocess, 'call', lambda command, env: 2)
    assert build_site.main([], root) == 1
    printed = capsys.readouterr()
    assert 'Sphinx failed' in printed.err and 'The site is in' not in printed.out


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--clean', 2)])
def test_help_and_unknown_arguments_leave_the_last_site(root, argument, status):
    page = root / 'build' / 'site' / 'index.html'
    page.parent.mkdir(parents=True)
    page.touch()
    with pytest.raises(SystemExit) as end:
        build_site.main([argument], root)
    assert end.value.code == status and page.exists()


def test_what_macos_leaves_becomes_no_page(root):
    for name in ('._GLOSSARY.md', 'notebooks/._01_a.ipynb'):
        (root / name).write_bytes(b'\x00\x05\x16\x07')
    assert not [path for path in build_site.pages(root) if path.name.startswith('.')]
