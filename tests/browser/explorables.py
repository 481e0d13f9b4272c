"""Explorables (docs/static/explore) as a test takes hold of them."""
import re

from served import SITE

# {notebook: names of its explorables, in the order of the page}
EXPLORABLES = {page.stem: names for page in sorted((SITE / 'notebooks').glob('*.html'))
               if (names := re.findall(r'data-explore="(\w+)"', page.read_text('utf-8')))}
ALL = [(notebook, name) for notebook, names in EXPLORABLES.items() for name in names]


def page_of(notebook, language='en'):
    """The name of a notebook's page on the site."""
    folder = {'en': 'notebooks', 'zh': 'zh/notebooks_zh'}[language]
    return f'{folder}/{notebook}.html'


def explorable(visit, name):
    """The explorable on a visit's page, once it is filled: a locator."""
    place = visit.page.locator(f'#{name}')
    place.evaluate('e => e.scrollIntoView()')
    place.locator('.explore-title').wait_for()
    place.locator('section[data-filled]').wait_for()
    return place


def spoken(room):
    """What an explorable says of its result."""
    return room.locator('.explore-spoken').inner_text()
