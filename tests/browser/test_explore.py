"""What every explorable must hold to, in both languages."""
import checks
import pytest
from explorables import ALL, EXPLORABLES, explorable, page_of
from served import ROOT

LANGUAGES = ('en', 'zh')
SHARED = {'ask', 'controls', 'data', 'dense', 'explore', 'names', 'nets', 'ort', 'plot', 'worker'}


def test_all_of_them_have_a_place():
    modules = {path.stem for path in (ROOT / 'docs' / 'static' / 'explore').glob('*.js')}
    assert {name for _, name in ALL} == modules - SHARED


@pytest.mark.parametrize('language', LANGUAGES)
@pytest.mark.parametrize('notebook', EXPLORABLES)
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_quiet_and_accessible(site, shoot, notebook, language, scheme):
    with site.visit(page_of(notebook, language), color_scheme=scheme) as visit:
        for name in EXPLORABLES[notebook]:
            place = explorable(visit, name)
            place.scroll_into_view_if_needed()
            place.screenshot()  # all of it is drawn
            shoot(visit.page, f'explore-{name}-{language}-{scheme}')
        assert checks.check_quiet(visit) == []
        assert checks.check_accessible(visit) == []


@pytest.mark.parametrize('language', LANGUAGES)
@pytest.mark.parametrize('notebook', EXPLORABLES)
def test_fits_a_telephone(site, notebook, language):
    with site.visit(page_of(notebook, language), viewport={'width': 390, 'height': 844},
                    has_touch=True) as visit:
        for name in EXPLORABLES[notebook]:
            explorable(visit, name)
        assert checks.check_fits(visit) == []


@pytest.mark.parametrize(('notebook', 'name'), ALL)
def test_says_its_name_and_has_words_of_the_pages_language(site, notebook, name):
    texts = {}
    for language in LANGUAGES:
        with site.visit(page_of(notebook, language)) as visit:
            texts[language] = explorable(visit, name).inner_text()
    assert texts['en'].startswith('Try it: ') and texts['zh'].startswith('动手试试：')
    assert not any('\u4e00' <= letter <= '\u9fff' for letter in texts['en'])
    assert sum('\u4e00' <= letter <= '\u9fff' for letter in texts['zh']) > 20


@pytest.mark.parametrize('notebook', EXPLORABLES)
def test_without_javascript_there_is_nothing(site, notebook):
    with site.visit(page_of(notebook), java_script_enabled=False) as visit:
        for name in EXPLORABLES[notebook]:
            assert visit.page.locator(f'#{name}').bounding_box()['height'] == 0


@pytest.mark.parametrize('notebook', EXPLORABLES)
def test_nothing_heavy_is_loaded_before_a_touch(site, notebook):
    with site.visit(page_of(notebook)) as visit:
        for name in EXPLORABLES[notebook]:
            explorable(visit, name)
        visit.page.wait_for_load_state('networkidle')
        loaded = visit.page.evaluate('performance.getEntriesByType("resource").map(e => e.name)')
        assert not [name for name in loaded if name.endswith(('.gzip', '.bin'))]
