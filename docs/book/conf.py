"""Sphinx's settings for `make epub`: the site's, and what EPUB 3 wants besides.

tools/build_epub.py lays out the pages, which are the site's.
"""
import re
import sys
from datetime import date
from pathlib import Path

import yaml
from docutils import nodes
from math_core import LatexToMathML
from sphinx.builders.epub3 import Epub3Builder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
from conf import (  # noqa: E402, F401
    LANGUAGE,
    extensions,
    language,
    myst_enable_extensions,
    myst_heading_anchors,
    nb_execution_mode,
)

from tools.build_epub import NAMES  # noqa: E402
from tools.build_site import pages  # noqa: E402
from tools.urls import site_address  # noqa: E402

citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8'))
author, copyright = citation['authors'][0]['name'], citation['license']
project = pages(ROOT, LANGUAGE)[0].read_text('utf-8').splitlines()[0].removeprefix('# ')
version = date.today().isoformat()

epub_basename = NAMES[LANGUAGE]
epub_identifier = f'{site_address()}{epub_basename}.epub'
epub_uid = 'address'
epub_language = language.replace('_', '-')
epub_contributor = epub_publisher = author
epub_description = {
    'en': 'Residual networks in fourteen notebooks, with all that they draw and print.',
    'zh': '十四篇讲残差网络的笔记本，附有全部运行结果。'}[LANGUAGE]
epub_cover = ('_images/plain_and_residual.png', 'cover.html')
epub_tocscope = 'includehidden'  # the lists of chapters, which pages do not show
epub_tocdepth = 2
epub_tocdup = False
epub_use_index = False
epub_show_urls = 'no'

templates_path = [str(HERE)]
html_static_path = [str(HERE / 'book.css')]
html_math_renderer = 'mathml'  # no reader runs MathJax
html_context = {'lang': epub_language, 'author': author}

MATHML = LatexToMathML(xml_namespace=True)
OPEN_TAG = re.compile(r'<((?:br|hr|img)\b[^<>]*?)\s*/?>')


def write_mathml(translator, node):
    """Puts a formula into a page; Sphinx stops at one that cannot be understood."""
    mathml = MATHML.convert_with_local_state(
        node.astext(), displaystyle=isinstance(node, nodes.math_block))
    translator.body.append(mathml.replace('&ApplyFunction;', '\N{FUNCTION APPLICATION}'))
    raise nodes.SkipNode


def make_xhtml(app, doctree, name):
    """Makes XHTML of the HTML that stands in notebooks: tags that hold nothing are closed."""
    for node in doctree.findall(nodes.raw):
        node[:] = [nodes.Text(OPEN_TAG.sub(r'<\1 />', node.astext()))]


class Book(Epub3Builder):
    """Sphinx's builder, with lists of contents that EPUB 3 accepts."""

    guide_titles = {'en': Epub3Builder.guide_titles,
                    'zh': {'toc': '目录', 'cover': '封面'}}[LANGUAGE]

    def build_content(self):
        """Lists the files: no styles but ours, and of each what a reader has to know."""
        for path in (self.outdir / '_static').iterdir():
            if path.name != 'book.css':
                path.unlink()
        super().build_content()
        contents = self.outdir / 'content.opf'
        contents.write_text(re.sub(r'(<item .*href="([^"]+)".*) />', self.with_properties,
                                   contents.read_text('utf-8')), 'utf-8')

    def with_properties(self, item):
        """An entry of the list that says whether the file has formulas, or is on the cover."""
        name = item[2]
        if name == epub_cover[0]:
            return f'{item[1]} properties="cover-image" />'
        if name.endswith('.xhtml') and '<math' in (self.outdir / name).read_text('utf-8'):
            return f'{item[1]} properties="mathml" />'
        return item[0]

    def toc_metadata(self, level, navpoints):
        """The old list of contents names the book as the new one does."""
        return super().toc_metadata(level, navpoints) | {'uid': epub_identifier}


def setup(app):
    app.add_builder(Book, override=True)
    app.connect('doctree-resolved', make_xhtml)
    app.add_html_math_renderer('mathml', (write_mathml, None), (write_mathml, None))
