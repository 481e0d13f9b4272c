"""GLOSSARY.md: every term is where it says, in English and Chinese, and notebooks link to it."""
import re

import pytest
from rules import ROOT, anchors, prose, rendered

from tools.notebook import markdown, read

GLOSSARY = ROOT / 'GLOSSARY.md'
LINK = re.compile(r'\]\(\.\./GLOSSARY\.md#([\w-]+)\)')
ROWS = [row.find_all('td') for row in rendered(GLOSSARY.read_text('utf-8')).select('tbody tr')]
NOTEBOOKS = sorted((ROOT / 'notebooks').glob('*.ipynb'))


def forms(cell):
    """The head-word, then its synonyms and other forms: `shortcut (skip connection)` has two."""
    head, _, others = cell.get_text().removesuffix(')').partition(' (')
    return [head, *(others.split(', ') if others else [])]


def stands_in(text, form):
    """Whether a text has a term, in singular or plural, as words of their own."""
    return re.search(rf'(?<!\w){re.escape(form)}(?:e?s)?(?!\w)', text, re.I)


def test_terms_are_in_order_and_differ():
    terms = [forms(row[0])[0].lower() for row in ROWS]
    assert terms == sorted(set(terms))
    every = [form.lower() for row in ROWS for form in forms(row[0])]
    assert len(set(every)) == len(every), 'a form stands in two rows'
    ids = [anchor['id'] for row in ROWS for anchor in row[0].find_all('a', id=True)]
    assert len(set(ids)) == len(ids) > 60


def test_synonyms_are_found_and_parts_of_words_are_not():
    row = rendered('| a (b c, d) | |\n| --- | --- |').find('th')
    assert forms(row) == ['a', 'b c', 'd']
    assert stands_in('Skip connections help.', 'skip connection')
    assert not stands_in('TensorFlow', 'tensor')


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row[0].a['id'])
def test_term_is_translated_and_stands_in_its_notebook(row):
    term, chinese, short, notebook = row
    assert re.search('[\u4e00-\u9fff]', chinese.get_text()), 'no Chinese'
    assert short.get_text().strip()
    path = ROOT / notebook.a['href']
    assert path.name.startswith(notebook.get_text().strip())
    text = ' '.join(prose(read(path)).get_text(' ').split())
    assert any(stands_in(text, form) for form in forms(term)), f'{path.name} does not use the term'


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_links_each_term_once(path):
    links = LINK.findall(markdown(read(path)))
    assert not set(links) - anchors(GLOSSARY), 'no such terms'
    assert len(set(links)) == len(links), 'a term is linked at its first use only'
