"""One hub and one browser for the whole week."""
import shutil

import pytest
import world
from chromium import MISSING, find_chromium
from people import Student, Teacher
from playwright.sync_api import sync_playwright


def pytest_configure():
    """Stops with one line where something is missing, or where nothing may be set up."""
    if not all(map(shutil.which, ('ip', 'mount', 'useradd', 'runuser'))):
        raise pytest.UsageError('ip, mount, useradd or runuser is missing: apt-get install '
                                'iproute2 mount passwd util-linux (Debian)')
    if not world.is_alone():
        raise pytest.UsageError('These tests need namespaces of their own: make test-hub')
    with sync_playwright() as playwright:
        if not find_chromium(playwright.chromium.executable_path):
            raise pytest.UsageError(MISSING)


@pytest.fixture(scope='session')
def people(tmp_path_factory):
    """{name: person}, each logged in, with a browser of his own, on a hub that runs."""
    with world.running(tmp_path_factory.mktemp('machine')), sync_playwright() as playwright:
        chromium = playwright.chromium
        browser = chromium.launch(executable_path=find_chromium(chromium.executable_path))
        found = {name: Student(browser, name) for name in world.STUDENTS}
        found[world.TEACHER] = Teacher(browser, world.TEACHER)
        for person in found.values():
            person.log_in()
        for person in found.values():
            person.arrive()
        yield found
        for person in found.values():  # shows where a failed test stopped
            person.page.screenshot(path=world.BUILD / f'screenshots/hub-{person.name}.png')
        browser.close()


@pytest.fixture
def teacher(people):
    return people[world.TEACHER]


@pytest.fixture
def ada(people):
    return people['ada']


@pytest.fixture
def ben(people):
    return people['ben']


@pytest.fixture
def zoe(people):
    return people['zoe']
