"""Each check finds its fault in a page that has been broken on purpose."""
import shutil

import checks
import pytest
from served import SITE, Site, served

NAME = 'index.html'
QUIET, FORMULAS, ALT, LINKS = (checks.check_quiet, checks.check_formulas,
                               checks.check_alt_texts, checks.check_links)
ACCESSIBLE, FITS, READABLE = (checks.check_accessible, checks.check_fits,
                              checks.check_readable)
BREACHES = [
    (QUIET, "<script>console.error('broken')</script>", 'console error: broken'),
    (QUIET, "<script>throw new Error('broken')</script>", 'error: broken'),
    (QUIET, '<img alt="" src="missing.png">', 'status 404'),
    (QUIET, '<img alt="" src="https://example.org/a.png">', 'asks another host'),
    (FORMULAS, '<p>the slope $f(x)$</p>', r'not typeset: $f(x)$'),
    (FORMULAS, r'<p>the slope \(f(x)\)</p>', r'not typeset: \(f(x)'),
    (FORMULAS, '<span class="math">f(x)</span>', 'not typeset: f(x)'),
    (FORMULAS, '<mjx-merror>f(x</mjx-merror>', 'does not understand: f(x'),
    (ALT, '<img src="_static/favicon.svg">', 'alt=None'),
    (ALT, '<div class="cell_output"><img src="_static/favicon.svg" alt="a figure"></div>',
     "alt='a figure'"),
    (LINKS, '<a href="missing.html">here</a>', 'leads to no file'),
    (LINKS, '<a href="#missing">here</a>', 'names no anchor of index.html'),
    (LINKS, '<a href="https:/example">here</a>', 'is no address'),
    (ACCESSIBLE, '<button></button>', 'button-name (critical)'),
    (ACCESSIBLE, '<p style="color: #999; background: #aaa">hard to read</p>',
     'color-contrast (serious)'),
    (ACCESSIBLE, '<details><summary>?</summary><img src="_static/favicon.svg"></details>',
     'image-alt (critical)'),
    (FITS, '<div style="width: 900px">wide</div>', 'the page is'),
    (FITS, '<div style="overflow: hidden"><div style="width: 900px">wide</div></div>', 'wide'),
    (READABLE, '<style>article * { display: none }</style>', '0 words'),
]


@pytest.fixture(scope='module')
def copy(browser, tmp_path_factory):
    """A copy of the site, to be broken."""
    folder = tmp_path_factory.mktemp('site')
    shutil.copytree(SITE, folder, dirs_exist_ok=True)
    with served(folder) as address:
        yield Site(folder, address, browser)


@pytest.mark.parametrize(('check', 'fault', 'message'), BREACHES)
def test_check_finds_the_fault(copy, check, fault, message):
    page = (SITE / NAME).read_text('utf-8')
    (copy.folder / NAME).write_text(page.replace('</article>', f'{fault}</article>'), 'utf-8')
    options = {'viewport': {'width': 390, 'height': 844}, 'java_script_enabled': check != READABLE}
    with copy.visit(NAME, **options) as visit:
        assert any(message in problem for problem in check(visit))


def test_every_check_has_a_breach():
    known = {value for name, value in vars(checks).items() if name.startswith('check_')}
    assert known == {check for check, _, _ in BREACHES}
