"""Makes build/site, web pages of the README and the notebooks as they are stored.

Nothing is executed. The pages' sources are copied to build/site-source and there

- links to what is no page of the site lead to the repository on GitHub,
- pictures get the words below them as their alternative text,
- pictures from other hosts (badges) become words, because a page loads nothing from elsewhere.

Then Sphinx, with the settings in docs/conf.py, makes HTML of them.
"""
import argparse
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
PICTURE_FILES = {'.png', '.svg', '.jpg', '.gif'}
MATHJAX = ('es5/tex-chtml.js', 'es5/output/chtml/fonts/woff-v2')


def pages(root):
    """What becomes a page: the README, the other texts at the root and in docs/, notebooks."""
    texts = sorted(root.glob('[!.]*.md')) + sorted(root.glob('docs/[!.]*.md'))
    home = root / 'README.md'
    return [home, *(path for path in texts if path != home), *select(root / 'notebooks')]


def on_github(target, fragment, root):
    """The address on GitHub of a file or folder of the repository."""
    kind = 'tree' if target.is_dir() else 'blob'
    path = target.relative_to(root).as_posix()
    address = f'https://github.com/{repository()}/{kind}/HEAD/{path}'
    return f'{address}#{fragment}' if fragment else address


def heading_anchor(fragment):
    """An anchor as Jupyter makes it (`2.-What-each-stage-costs`) as the site makes it."""
    return re.sub(r'[^\w\- ]', '', unquote(fragment).lower())


def redirect(link, path, root):
    """Where a link in the file `path` leads to from the site."""
    parts = urlsplit(link)
    target = Path(os.path.normpath(path.parent / unquote(parts.path)))
    if parts.scheme or parts.netloc or not target.exists() or not target.is_relative_to(root):
        return link  # Sphinx warns if it leads nowhere
    if parts.path and target not in pages(root):
        picture = target.suffix in PICTURE_FILES
        return link if picture else on_github(target, parts.fragment, root)
    page = re.sub(r'README\.md$', 'index.md', parts.path)
    return page + (f'#{heading_anchor(parts.fragment)}' if parts.fragment else '')


def adapt(markdown, path, root):
    """Markdown of the file `path`, as the site shows it."""
    markdown = PICTURE.sub(r'\1', markdown)
    markdown = ANCHOR.sub(r'[]{#\1}', markdown)  # Sphinx knows the names in its own notation
    return LINK.sub(lambda match: redirect(match.group(), path, root), markdown)


def plain(markdown):
    """The first paragraph of Markdown as words alone: what is read aloud for a picture."""
    paragraph = ' '.join(markdown.strip().split('\n\n')[0].split())
    paragraph = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', paragraph)
    return re.sub(r'[*`$\\{}]', '', paragraph)


def describe_figures(notebook):
    """Gives each cell with a picture the description below it as alternative text."""
    for cell, below in pairwise(notebook.cells):
        if below.cell_type == 'markdown' and below.source.startswith('**Figure'):
            cell.metadata['mystnb'] = {'image': {'alt': plain(below.source)}}


def adapt_notebook(path, root):
    """A notebook as the site shows it."""
    notebook = read(path)
    describe_figures(notebook)
    for cell in notebook.cells:
        if cell.cell_type == 'markdown':
            cell.source = adapt(cell.source, path, root)
    return nbformat.writes(notebook)


def contents(root):
    """The list from which the side bar, previous and next are made."""
    names = [path.relative_to(root).with_suffix('').as_posix() for path in pages(root)[1:]]
    notebooks = [name for name in names if name.startswith('notebooks/')]
    texts = [name for name in names if name not in notebooks]
    return ''.join(
        f'\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n' + '\n'.join(entries) + '\n```\n'
        for caption, entries in (('Notebooks', notebooks), ('More', texts)) if entries)


def copy_pictures(root, source):
    """The pictures that the repository's own Markdown shows, where the pages look for them."""
    for path in pages(root):
        for link in LINK.findall(path.read_text(encoding='utf-8')):
            picture = Path(os.path.normpath(path.parent / link))
            if picture.suffix in PICTURE_FILES and picture.is_file():
                copy = source / picture.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(picture, copy)


def write_sources(root, source):
    """Fills the empty folder `source` with the pages as the site shows them."""
    for path in pages(root):
        copy = source / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.ipynb':
            text = adapt_notebook(path, root)
        else:
            text = adapt(path.read_text(encoding='utf-8'), path, root)
        copy.write_text(text, encoding='utf-8')
    index = (source / 'README.md').rename(source / 'index.md')
    index.write_text(index.read_text(encoding='utf-8') + contents(root), encoding='utf-8')
    copy_pictures(root, source)


def copy_mathjax(folder):
    """Puts the part of MathJax that the pages use into `folder`."""
    package = Path(importlib.util.find_spec('mathjax').origin).parent / 'static' / 'mathjax'
    for part in MATHJAX:
        copy = folder / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (package / part).is_dir() else shutil.copy)(package / part, copy)


def main(arguments, root=ROOT):
    """Builds the site anew; returns the exit status: 1 if Sphinx fails or has a warning."""
    argparse.ArgumentParser(prog='python -m tools.build_site',
                            description='Build the site in build/site.').parse_args(arguments)
    source, site = root / 'build' / 'site-source', root / 'build' / 'site'
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    write_sources(root, source)
    copy_mathjax(source / '_mathjax' / 'mathjax')
    status = subprocess.call([
        sys.executable, '-m', 'sphinx', '-b', 'html', '-c', ROOT / 'docs', '-q', '-E',
        '-W', '--keep-going', '-d', root / 'build' / 'site-doctrees', source, site])
    if status:
        print(f'Sphinx failed with exit status {status}; its own words are above.', file=sys.stderr)
        return 1
    # What a reader downloads is the notebook as it is in the repository.
    for path in select(root / 'notebooks'):
        shutil.copy(path, site / '_sources' / 'notebooks' / path.name)
    print(f'The site is in {site}; open {site / "index.html"}')
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
