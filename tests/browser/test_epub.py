"""build/*.epub: what a reader of e-books needs, and what epubcheck says."""
import json
import re
import shutil
import subprocess
import zipfile
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import checks
import pytest
from served import ROOT, Site, served

NAMESPACES = {'opf': 'http://www.idpf.org/2007/opf', 'dc': 'http://purl.org/dc/elements/1.1/',
              'html': 'http://www.w3.org/1999/xhtml', 'math': 'http://www.w3.org/1998/Math/MathML'}
NO_EPUBCHECK = 'There is no epubcheck. Debian: sudo apt-get install epubcheck'
# Formulas in sight that the browser has not laid out.
FLAT = '''() => [...document.querySelectorAll('math')]
    .filter(e => e.checkVisibility() && !e.getBoundingClientRect().width)
    .map(e => e.textContent)'''


class Book:
    """An e-book, and the README and the notebooks that it is made of."""

    def __init__(self, file, home, notebooks):
        self.path, self.home = ROOT / 'build' / file, ROOT / home
        self.notebooks = sorted((ROOT / notebooks).glob('*.ipynb'))
        if not self.path.is_file():
            raise pytest.UsageError(f'There is no {file} in build/; make epub')
        self.files = zipfile.ZipFile(self.path)
        self.contents = self.parse('content.opf')
        names = {item.get('id'): item.get('href') for item in self.find('opf:manifest/opf:item')}
        self.chapters = [names[item.get('idref')] for item in self.find('opf:spine/opf:itemref')]

    def parse(self, name):
        """A file's root; what is no well-formed XML raises an error."""
        return ElementTree.fromstring(self.files.read(name))

    def find(self, path):
        """The elements of the list of contents at a path."""
        return self.contents.findall(path, NAMESPACES)


BOOKS = {'en': Book('resnet-notebooks.epub', 'README.md', 'notebooks'),
         'zh-CN': Book('resnet-notebooks-zh.epub', 'README_zh.md', 'notebooks_zh')}
NOTEBOOKS = [(language, path) for language, book in BOOKS.items() for path in book.notebooks]
CHAPTERS = [(language, name) for language, book in BOOKS.items() for name in book.chapters]


def chapter_of(notebook):
    return f'{notebook.parent.name}/{notebook.stem}.xhtml'


@pytest.fixture(params=BOOKS)
def language(request):
    return request.param


@pytest.fixture
def book(language):
    return BOOKS[language]


@pytest.fixture(scope='module')
def unpacked(browser, tmp_path_factory):
    """The books as folders, served: {language: Site}."""
    with ExitStack() as stack:
        sites = {}
        for language, book in BOOKS.items():
            folder = tmp_path_factory.mktemp(language)
            book.files.extractall(folder)
            sites[language] = Site(folder, stack.enter_context(served(folder)), browser)
        yield sites


@pytest.fixture(scope='module', params=CHAPTERS, ids='-'.join)
def chapter(unpacked, request):
    language, name = request.param
    with unpacked[language].visit(name) as visit:
        checks.open_answers(visit)
        yield visit


def test_epubcheck_has_nothing_to_say(book):
    if not (program := shutil.which('epubcheck')):
        pytest.skip(NO_EPUBCHECK)
    # Debian's is a Java archive, which not every system runs as it is.
    command = ['java', '-jar', program] if zipfile.is_zipfile(program) else [program]
    done = subprocess.run([*command, '--failonwarnings', book.path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_is_small(book):
    assert book.path.stat().st_size < 10e6


def test_tells_its_title_author_and_language(book, language):
    title, author, said = (book.find(f'opf:metadata/dc:{name}')[0].text
                           for name in ('title', 'creator', 'language'))
    assert book.home.read_text('utf-8').startswith(f'# {title}\n')
    assert f'name: {author}\n' in (ROOT / 'CITATION.cff').read_text('utf-8')
    assert {said, *(book.parse(name).get('lang') for name in book.chapters)} == {language}


def test_cover_then_home_then_every_notebook_in_its_order(book):
    notebooks = [chapter_of(path) for path in book.notebooks]
    assert book.chapters[:2 + len(notebooks)] == ['epub-cover.xhtml', 'index.xhtml', *notebooks]
    links = book.parse('nav.xhtml').findall('.//html:nav/html:ol/html:li/html:a', NAMESPACES)
    assert [link.get('href') for link in links] == book.chapters[1:]


@pytest.mark.parametrize(('language', 'path'), NOTEBOOKS)
def test_every_figure_and_formula_of_the_notebook_is_there(language, path):
    cells = json.loads(path.read_text('utf-8'))['cells']
    chapter = BOOKS[language].parse(chapter_of(path))
    pictures = [img.get('src') for img in chapter.findall('.//html:img', NAMESPACES)]
    assert sum('/_images/' in src for src in pictures) == sum(
        'image/png' in output.get('data', {}) for c in cells for output in c.get('outputs', []))
    prose = ''.join(''.join(c['source']) for c in cells if c['cell_type'] == 'markdown')
    prose = re.sub(r'```.*?```|`[^`\n]*`', '', prose, flags=re.S)  # in code, $ begins no formula
    formulas = chapter.findall('.//math:math', NAMESPACES)
    assert len(formulas) == len(re.findall(r'\$\$.+?\$\$|\$[^$\n]+\$', prose, re.S))


def test_formulas(chapter):
    assert chapter.page.evaluate(FLAT) == []
    assert not re.findall(r'\\[(\[a-zA-Z].*|\$[^$\n]+\$', chapter.page.evaluate(checks.PROSE))


def test_opens_quietly_without_a_network_or_scripts(chapter, shoot):
    name = Path(chapter.name).stem
    shoot(chapter.page, f'epub-{chapter.page.get_attribute("html", "lang")}-{name}', full_page=True)
    assert checks.check_quiet(chapter) == []
    assert chapter.page.locator('h1').count() == 1
    assert chapter.page.locator('script, .explore').count() == 0


def test_alt_texts(chapter):
    assert checks.check_alt_texts(chapter) == []


def test_links(chapter):
    assert checks.check_links(chapter) == []
