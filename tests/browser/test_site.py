"""Every page of build/site, in light and dark, on a telephone and without JavaScript."""
import html
import json
import re
from pathlib import Path

import checks
import pytest
from served import ROOT, SITE

from tools.urls import repository

PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob('*.html')
               if '_static' not in path.parts)
TEXTS = [name for name in PAGES if Path(name).name != 'search.html']  # which has none of its own
NOTEBOOKS = [name for name in PAGES if Path(name).parent.name in ('notebooks', 'notebooks_zh')]


def source(name):
    """The notebook from which a page is made."""
    return ROOT / Path(name.removeprefix('zh/')).with_suffix('.ipynb')


def picture_name(name, kind):
    return f"{name.removesuffix('.html').replace('/', '-')}-{kind}"


@pytest.fixture(scope='module', params=PAGES)
def light(site, request):
    with site.visit(request.param, color_scheme='light') as visit:
        yield visit


@pytest.fixture(scope='module', params=PAGES)
def dark(site, request):
    with site.visit(request.param, color_scheme='dark') as visit:
        yield visit


@pytest.fixture(scope='module', params=PAGES)
def narrow(site, request):
    with site.visit(request.param, viewport={'width': 390, 'height': 844}) as visit:
        yield visit


def test_every_notebook_has_a_page():
    stored = {path for folder in ('notebooks', 'notebooks_zh')
              for path in (ROOT / folder).glob('*.ipynb')}
    assert stored and stored == set(map(source, NOTEBOOKS))


# Light first: what it finds is what a reader meets first. The picture is taken as it loads.


def test_loads_quietly(light, shoot):
    shoot(light.page, picture_name(light.name, 'light'), full_page=True)
    assert checks.check_quiet(light) == []


def test_formulas(light):
    assert checks.check_formulas(light) == []


def test_alt_texts(light):
    assert checks.check_alt_texts(light) == []


def test_links(light):
    assert checks.check_links(light) == []


def test_accessible_in_light(light):
    assert light.page.get_attribute('html', 'data-theme') == 'light'
    assert checks.check_accessible(light) == []


def test_accessible_in_dark(dark, shoot):
    shoot(dark.page, picture_name(dark.name, 'dark'), full_page=True)
    assert dark.page.get_attribute('html', 'data-theme') == 'dark'
    assert checks.check_accessible(dark) == []


def test_fits_a_telephone(narrow, shoot):
    shoot(narrow.page, picture_name(narrow.name, '390px'), full_page=True)
    assert checks.check_fits(narrow) == []


@pytest.mark.parametrize('name', TEXTS)
def test_readable_without_javascript(site, name):
    with site.visit(name, java_script_enabled=False) as visit:
        assert checks.check_readable(visit) == []


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_every_figure_and_formula_of_the_notebook_is_there(site, name):
    cells = json.loads(source(name).read_text('utf-8'))['cells']
    pictures = sum('image/png' in output.get('data', {})
                   for cell in cells for output in cell.get('outputs', []))
    prose = ''.join(''.join(c['source']) for c in cells if c['cell_type'] == 'markdown')
    with site.visit(name) as visit:
        assert visit.page.locator('.cell_output img').count() == pictures
        assert (visit.page.locator('mjx-container').count() > 0) == ('$' in prose)


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_answers_unfold(site, name):
    with site.visit(name) as visit:
        answers = visit.page.locator('details')
        assert answers.count() >= 3
        for answer in answers.all():
            folded = answer.bounding_box()['height']
            answer.locator('summary').click()
            assert answer.bounding_box()['height'] > folded + 10


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_buttons_open_this_notebook_on_binder_and_download_it(site, name):
    with site.visit(name) as visit:
        binder = f'https://mybinder.org/v2/gh/{repository()}/HEAD?urlpath=lab/tree/'
        visit.page.locator('.dropdown-launch-buttons > button').click()
        button = visit.page.locator('.dropdown-launch-buttons a:visible')
        assert button.get_attribute('href') == binder + source(name).relative_to(ROOT).as_posix()
        visit.page.keyboard.press('Escape')
        visit.page.locator('.dropdown-download-buttons > button').click()
        with visit.page.expect_download() as download:
            visit.page.locator('.dropdown-download-buttons a:visible').first.click()
        assert download.value.path().read_bytes() == source(name).read_bytes()


@pytest.mark.parametrize('home', ['index.html', 'zh/index.html'])
def test_previous_and_next_lead_through_all_pages_and_back(site, home):
    chinese = home.startswith('zh/')
    with site.visit(home) as visit:
        page, there = visit.page, [home]
        while (following := page.locator('a.right-next')).count():
            following.click()
            page.wait_for_load_state()
            there.append(page.url.removeprefix(site.address))
        assert sorted(there) == [name for name in TEXTS if name.startswith('zh/') == chinese]
        notebooks = [name for name in there if name in NOTEBOOKS]
        assert notebooks == [name for name in NOTEBOOKS if name.startswith('zh/') == chinese]
        back = [there[-1]]
        while (previous := page.locator('a.left-prev')).count():
            previous.click()
            page.wait_for_load_state()
            back.append(page.url.removeprefix(site.address))
        assert back == there[::-1]


@pytest.mark.parametrize(('home', 'word', 'notebook'), [
    ('index.html', 'shattered', 'notebooks/07'), ('zh/index.html', '破碎', 'notebooks_zh/07')])
def test_search_finds_a_word(site, shoot, home, word, notebook):
    with site.visit(home) as visit:
        page = visit.page
        page.keyboard.press('Control+k')
        page.keyboard.type(word)
        page.keyboard.press('Enter')
        page.wait_for_url('**/search.html?q=*')
        results = page.locator('#search-results li a')
        results.first.wait_for()
        shoot(page, f'search-{word}')
        assert notebook in results.first.get_attribute('href')
        results.first.click()
        page.wait_for_load_state()
        assert word in page.locator('article').inner_text().lower()
        assert checks.check_quiet(visit) == []


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_each_language_leads_to_the_other(site, name):
    chinese = name.startswith('zh/')
    with site.visit(name) as visit:
        assert visit.page.get_attribute('html', 'lang') == ('zh-CN' if chinese else 'en')
        visit.page.locator('a.twin').click()
        visit.page.wait_for_load_state()
        there = visit.page.url.removeprefix(site.address)
        assert there in NOTEBOOKS and Path(there).name == Path(name).name
        assert there.startswith('zh/') != chinese
        visit.page.locator('a.twin').click()
        visit.page.wait_for_load_state()
        assert visit.page.url == site.address + name


def test_mode_is_switched_and_kept(site):
    with site.visit('index.html', color_scheme='light') as visit:
        visit.page.locator('.theme-switch-button:visible').first.click()
        visit.page.locator('.theme-change-button[data-mode="dark"]:visible').click()
        visit.page.goto(site.address + NOTEBOOKS[0])
        assert visit.page.get_attribute('html', 'data-theme') == 'dark'


def test_links_to_other_hosts_are_listed():
    """They cannot be tried here; the list is for who has a network."""
    text = ''.join((SITE / name).read_text('utf-8') for name in PAGES)
    found = {html.unescape(address) for address in re.findall(r'href="(https?://[^"]+)"', text)}
    (ROOT / 'build' / 'external-links.txt').write_text('\n'.join(sorted(found)) + '\n', 'utf-8')
    assert f'https://github.com/{repository()}/blob/HEAD/scripts/pictures.py' in found
