"""The browser, and the site that `make site` has built."""
import os

import checks
import pytest
from chromium import MISSING, find_chromium
from explorables import explorable
from playwright.sync_api import sync_playwright
from served import ROOT, SITE, Site, served

SCREENSHOTS = ROOT / 'build' / 'screenshots'


def pytest_configure():
    """Stops with one line where there is nothing to test with, or nothing to test."""
    with sync_playwright() as playwright:
        if not find_chromium(playwright.chromium.executable_path):
            raise pytest.UsageError(MISSING)
    if not (SITE / 'index.html').is_file():
        raise pytest.UsageError('There is no site in build/site; make site')
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope='session')
def browser():
    """A headless Chromium that resolves no name but this machine's."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium
        browser = chromium.launch(executable_path=find_chromium(chromium.executable_path),
                                  args=['--host-resolver-rules=MAP * ~NOTFOUND, '
                                        'EXCLUDE 127.0.0.1'])
        yield browser
        browser.close()


@pytest.fixture(scope='session')
def site(browser):
    """The built site."""
    with served(SITE) as address:
        yield Site(SITE, address, browser)


@pytest.fixture
def visit(site, request):
    """A visit to the module's PAGE, which stays quiet to the end."""
    with site.visit(request.module.PAGE, has_touch=True) as visit:
        yield visit
        assert checks.check_quiet(visit) == []


@pytest.fixture
def room(visit, request):
    """The explorable for which a module test_explore_NAME is called."""
    return explorable(visit, request.module.__name__.removeprefix('test_explore_'))


@pytest.fixture(scope='session')
def shoot():
    """Keeps a picture of a page in build/screenshots, for a person to look at."""
    def keep(page, name, **options):
        page.screenshot(path=SCREENSHOTS / f'{name}.png', **options)
    return keep


@pytest.fixture(scope='session', autouse=True)
def no_proxy():
    """The tests talk to this machine alone, whatever proxy is set."""
    os.environ['NO_PROXY'] = os.environ['no_proxy'] = '127.0.0.1,localhost'
