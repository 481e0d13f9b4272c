"""Makes build/site, web pages of the README and the notebooks as they are stored; zh/ in Chinese.

Nothing is executed. The pages' sources are copied to build/site-source and there

- links to what is no page of the site lead to the repository on GitHub,
- pictures get the words below them as their alternative text,
- pictures from other hosts (badges) become words, because a page loads nothing from elsewhere.

Then Sphinx, with the settings in docs/conf.py, makes HTML of them.
"""
import argparse
import filecmp
import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

from scripts import commands
from tools.notebook import read, select
from tools.urls import repository

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r'(?<=\]\()[^()\s]+(?=\))|(?<=href=")[^"]+(?=")|(?<=src=")[^"]+(?=")')
PICTURE = re.compile(r'!\[([^\]]*)\]\((?:https?:)?//[^)]*\)')
ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')
# A paragraph of a notebook that leads to its page on the site: there the explorable itself stands.
TRY = re.compile(r'^\*\*(?:Try it|动手试试)\*\*.*\]\((\S+)#([a-z]+)\).*$', re.MULTILINE)
PICTURE_FILES = {'.png', '.svg', '.jpg', '.gif'}
MATHJAX = ('es5/tex-chtml.js', 'es5/output/chtml/fonts/woff-v2')


def pages(root, language='en'):
    """What becomes a page: the README, the other texts at the root and in docs/, notebooks.

    In Chinese, 'zh': those whose names end with _zh, and the glossary, which has both languages.
    """
    texts = sorted(root.glob('[!.]*.md')) + sorted(root.glob('docs/[!.]*.md'))
    if language == 'zh':
        home, notebooks = root / 'README_zh.md', root / 'notebooks_zh'
        texts = [path for path in texts if path.stem.endswith('_zh') or path.stem == 'GLOSSARY']
    else:
        home, notebooks = root / 'README.md', root / 'notebooks'
        texts = [path for path in texts if not path.stem.endswith('_zh')]
    return [home, *(path for path in texts if path != home), *select(notebooks)]


def twin(path, root):
    """Where the Chinese page of an English one is, whether it exists or not."""
    if path.parent == root / 'notebooks':
        return root / 'notebooks_zh' / path.name
    return path.with_stem(f'{path.stem}_zh')


def page_name(path, root):
    """A page's name on the site, without the language's folder and its ending."""
    name = path.relative_to(root).with_suffix('').as_posix()
    return 'index' if name in ('README', 'README_zh') else name


def twins(root, language):
    """{page: its address in the other language, as seen from the top folder of this one}."""
    other = pages(root, 'zh')
    found = {}
    for path in pages(root, 'en'):
        chinese = next((page for page in (twin(path, root), path) if page in other), None)
        if chinese:
            here, there = page_name(path, root), page_name(chinese, root)
            found |= {here: f'zh/{there}.html'} if language == 'en' else {there: f'../{here}.html'}
    return found


def on_github(target, fragment, root):
    """The address on GitHub of a file or folder of the repository."""
    kind = 'tree' if target.is_dir() else 'blob'
    path = target.relative_to(root).as_posix()
    address = f'https://github.com/{repository()}/{kind}/HEAD/{path}'
    return f'{address}#{fragment}' if fragment else address


def heading_anchor(fragment):
    """An anchor as Jupyter makes it (`2.-What-each-stage-costs`) as the site makes it."""
    return re.sub(r'[^\w\- ]', '', unquote(fragment).lower())


def redirect(link, path, root, language='en'):
    """Where a link in the file `path` leads to from the site."""
    parts = urlsplit(link)
    target = Path(os.path.normpath(path.parent / unquote(parts.path)))
    if parts.scheme or parts.netloc or not target.exists() or not target.is_relative_to(root):
        return link  # Sphinx warns if it leads nowhere
    if not parts.path:
        page = ''
    elif (language == 'zh' and path in pages(root, 'en')  # the glossary, which has both
          and twin(target, root) in pages(root, 'zh')):
        page = os.path.relpath(twin(target, root), path.parent)
    elif target in pages(root, language):
        page = parts.path
    else:
        picture = target.suffix in PICTURE_FILES
        return link if picture else on_github(target, parts.fragment, root)
    page = re.sub(r'README(_zh)?\.md$', 'index.md', page)
    return page + (f'#{heading_anchor(parts.fragment)}' if parts.fragment else '')


def adapt(markdown, path, root, language='en'):
    """Markdown of the file `path`, as the site shows it."""
    markdown = PICTURE.sub(r'\1', markdown)
    markdown = ANCHOR.sub(r'[]{#\1}', markdown)  # Sphinx knows the names in its own notation
    return LINK.sub(lambda match: redirect(match.group(), path, root, language), markdown)


def plain(markdown):
    """The first paragraph of Markdown as words alone: what is read aloud for a picture."""
    paragraph = ' '.join(markdown.strip().split('\n\n')[0].split())
    paragraph = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', paragraph)
    return re.sub(r'[*`$\\{}]', '', paragraph)


def describe_figures(notebook):
    """Gives each cell with a picture the description below it as alternative text."""
    for cell, below in pairwise(notebook.cells):
        if below.cell_type == 'markdown' and below.source.startswith(('**Figure', '**图')):
            cell.metadata['mystnb'] = {'image': {'alt': plain(below.source)}}


def adapt_notebook(path, root, language='en', explorables=True):
    """A notebook as the site shows it; without `explorables` it still links to them."""
    notebook = read(path)
    describe_figures(notebook)
    for cell in notebook.cells:
        if cell.cell_type == 'markdown':
            cell.source = adapt(cell.source, path, root, language)
            if explorables:
                cell.source = TRY.sub(r'<div class="explore" id="\2" data-explore="\2"></div>',
                                      cell.source)
    return nbformat.writes(notebook)


def contents(root, language='en'):
    """The list from which the side bar, previous and next are made."""
    names = [page_name(path, root) for path in pages(root, language)[1:]]
    notebooks = [name for name in names if name.startswith('notebooks')]
    captions = ('笔记本', '其他') if language == 'zh' else ('Notebooks', 'More')
    texts = [name for name in names if name not in notebooks]
    return ''.join(
        f'\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n' + '\n'.join(entries) + '\n```\n'
        for caption, entries in zip(captions, (notebooks, texts), strict=True) if entries)


def copy_pictures(root, source, language):
    """The pictures that the repository's own Markdown shows, where the pages look for them."""
    for path in pages(root, language):
        for link in LINK.findall(path.read_text(encoding='utf-8')):
            picture = Path(os.path.normpath(path.parent / link))
            if picture.suffix in PICTURE_FILES and picture.is_file():
                copy = source / picture.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(picture, copy)


def write_sources(root, source, language='en', explorables=True):
    """Fills the empty folder `source` with the pages as the site shows them."""
    for path in pages(root, language):
        copy = source / f'{page_name(path, root)}{path.suffix}'
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.ipynb':
            text = adapt_notebook(path, root, language, explorables)
        else:
            text = adapt(path.read_text(encoding='utf-8'), path, root, language)
        copy.write_text(text, encoding='utf-8')
    with open(source / 'index.md', 'a', encoding='utf-8') as index:
        index.write(contents(root, language))
    copy_pictures(root, source, language)


def copy_mathjax(folder):
    """Puts the part of MathJax that the pages use into `folder`."""
    package = Path(importlib.util.find_spec('mathjax').origin).parent / 'static' / 'mathjax'
    for part in MATHJAX:
        copy = folder / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (package / part).is_dir() else shutil.copy)(package / part, copy)


def run_sphinx(builder, settings, language, source, target, doctrees):
    """Fills the folder `target` with what a builder makes of `source`; returns the exit status.

    The folder `settings` of this repository has the conf.py.
    """
    status = subprocess.call([
        sys.executable, '-m', 'sphinx', '-b', builder, '-c', ROOT / settings, '-q', '-E',
        '-W', '--keep-going', '-d', doctrees, source, target],
        env={**os.environ, 'SITE_LANGUAGE': language})
    if status:
        print(f'Sphinx failed with exit status {status}; its own words are above.', file=sys.stderr)
    return status


def build(root, language, source, site):
    """Makes the pages of one language in the folder `site`; returns Sphinx's exit status."""
    for folder in (source, site):
        folder.mkdir(parents=True)
    write_sources(root, source, language)
    copy_mathjax(source / '_mathjax' / 'mathjax')
    status = run_sphinx('html', 'docs', language, source, site,
                        root / 'build' / 'site-doctrees' / language)
    # What a reader downloads is the notebook as it is in the repository.
    for path in () if status else pages(root, language):
        if path.suffix == '.ipynb':
            shutil.copy(path, site / '_sources' / path.relative_to(root))
    return status


def add_nets(root, site):
    """Puts what explorables load into the site: nets, data, and onnxruntime, which runs nets."""
    explore = site / '_static' / 'explore'
    for folder in ('nets', 'data'):
        shutil.copytree(root / 'build' / 'explore' / folder, explore / folder)
    runtime = Path(sys.prefix) / 'node_modules' / 'onnxruntime-web' / 'dist'
    shutil.copy(runtime / 'ort.wasm.bundle.min.mjs', explore / 'ort.js')  # a name all servers know
    # Compressed here, because not every server does: 3 MB in place of 12.
    program = (runtime / 'ort-wasm-simd-threaded.wasm').read_bytes()
    (explore / 'ort.wasm.gzip').write_bytes(gzip.compress(program, mtime=0))


def share_files(site):
    """Lets the pages in `site`/zh use pictures and programs of the English ones, where equal."""
    shared = set()
    for path in [path for folder in ('_images', '_static')
                 for path in (site / 'zh' / folder).rglob('*') if path.is_file()]:
        name = path.relative_to(site / 'zh')
        there = site / name
        if not there.exists() and name.parts[0] == '_images':  # a name has the file's hash
            path.replace(there)
        elif there.exists() and filecmp.cmp(path, there, shallow=False):
            path.unlink()
        else:
            continue
        shared.add(name.as_posix())

    link = re.compile(r'((?:src|href)="(?:\.\./)*)(_(?:images|static)/[^"?#]+)')

    def lead(match):
        return f'{match[1]}../{match[2]}' if match[2] in shared else match[0]

    for page in (site / 'zh').rglob('*.html'):
        text = page.read_text(encoding='utf-8')
        page.write_text(link.sub(lead, text), encoding='utf-8')


def drop_maps(site):
    """Removes what only a developer's tools would load."""
    for path in (site / '_static').rglob('*.map'):
        path.unlink()


def main(arguments, root=ROOT):
    """Builds the site anew; returns the exit status: 1 if Sphinx fails or has a warning."""
    argparse.ArgumentParser(prog='python -m tools.build_site',
                            description='Build the site in build/site.').parse_args(arguments)
    source, site, chinese = (root / 'build' / name for name in ('site-source', 'site', 'site-zh'))
    for folder in (source, site, chinese):
        shutil.rmtree(folder, ignore_errors=True)
    if build(root, 'en', source / 'en', site) or build(root, 'zh', source / 'zh', chinese):
        return 1
    chinese.rename(site / 'zh')  # only now: MyST-NB leaves a folder beside the one that it fills
    share_files(site)
    drop_maps(site)
    add_nets(root, site)
    print(f'The site is in {site}. To read it: python3 -m http.server --directory {site}\n'
          'and http://localhost:8000 in a browser (opened as files, pages cannot load explorables)')
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
