"""What every page of the site must hold to: a check takes a Visit and returns its problems.

Each has a breach in test_checks.py, which shows that it can fail.
"""
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import axe_playwright_python

AXE = Path(axe_playwright_python.__file__).parent / 'axe.min.js'
MIN_ALT_WORDS = 10
WORD = re.compile(r'[\u4e00-\u9fff]|[^\s\u4e00-\u9fff]+')  # a Chinese character counts as one
EXTERNAL = re.compile(r'https?://[a-z0-9-]+(\.[a-z0-9-]+)+(/[^\s<>"]*)?', re.IGNORECASE)

# Text that a reader sees as prose: formulas stand there as \(…\) or $…$ if they are not typeset.
PROSE = '''() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        if (!parent.closest('pre, code, script, style, noscript, textarea, mjx-container'))
            texts.push(walker.currentNode.data);
    }
    return texts.join('\\n');
}'''

FORMULAS = '''() => ({
    empty: [...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container'))
        .map(e => e.textContent.trim()),
    wrong: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')]
        .map(e => e.textContent || e.getAttribute('data-mjx-error')),
})'''

# Parts that stick out of the window, though not those inside something that scrolls.
STICKING_OUT = '''() => {
    const scrolls = e => e && (['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
                               || scrolls(e.parentElement));
    return [...document.querySelectorAll('article *, .bd-header-article *')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width && box.height && box.right > innerWidth + 1 && !scrolls(e)
            && !e.closest('mjx-assistive-mml');
    }).map(e => `<${e.tagName} class="${e.className}"> ${e.textContent.slice(0, 40)}`);
}'''


def open_answers(visit):
    """Unfolds the answers, so that they are looked at too."""
    visit.page.evaluate('document.querySelectorAll("details").forEach(e => { e.open = true; })')


def check_quiet(visit):
    """Nothing in the console, nothing missing, nothing asked of another host."""
    return visit.noise


def check_formulas(visit):
    """Every formula is typeset."""
    found = visit.page.evaluate(FORMULAS)
    raw = re.findall(r'\\[(\[].*|\$[^$\n]+\$|\$\$', visit.page.evaluate(PROSE))
    return ([f'not typeset: {text}' for text in found['empty'] + raw]
            + [f'MathJax does not understand: {text}' for text in found['wrong']])


def check_alt_texts(visit):
    """Each picture has an alternative text, and each figure one that says something."""
    images = visit.page.eval_on_selector_all('img', '''images => images.map(e => [
        e.getAttribute('src'), e.getAttribute('alt'), Boolean(e.closest('.cell_output'))])''')
    return [f'{src}: alt={alt!r}' for src, alt, figure in images
            if alt is None or figure and len(WORD.findall(alt)) < MIN_ALT_WORDS]


def addresses(visit):
    """Where the links of a page lead, as whole addresses and as they are written."""
    return visit.page.eval_on_selector_all(
        'a[href]', "links => links.map(e => [e.href, e.getAttribute('href')])")


def ids(path):
    """The anchors of a page in the site's folder."""
    return set(re.findall(r'\s(?:id|name)="([^"]+)"', path.read_text(encoding='utf-8')))


def check_links(visit):
    """A link leads to a file of the site, and to an anchor in it; or it looks like an address."""
    problems, site = [], visit.site
    for address, written in addresses(visit):
        page, fragment = urldefrag(address)
        if not address.startswith(site.address):
            if not EXTERNAL.fullmatch(address):
                problems.append(f'{written} is no address')
            continue
        target = site.folder / unquote(urlsplit(page).path).lstrip('/')
        if target.is_dir():
            target = target / 'index.html'
        if not target.is_file():
            problems.append(f'{written} leads to no file')
        elif fragment and unquote(fragment) not in ids(target):
            problems.append(f'{written} names no anchor of {target.name}')
    return problems


def check_accessible(visit):
    """axe-core finds nothing serious or critical."""
    open_answers(visit)
    visit.page.evaluate(AXE.read_text(encoding='utf-8'))
    found = visit.page.evaluate("() => axe.run({resultTypes: ['violations']})")
    return [f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
            for rule in found['violations'] if rule['impact'] in ('serious', 'critical')
            for node in rule['nodes']]


def check_fits(visit):
    """Nothing is wider than the window, unless it scrolls within itself."""
    open_answers(visit)
    width = visit.page.evaluate('document.documentElement.scrollWidth')
    window = visit.page.viewport_size['width']
    problems = [f'the page is {width} px wide'] if width > window else []
    return problems + visit.page.evaluate(STICKING_OUT)


def check_readable(visit):
    """There is a heading and text to read (for a visit without JavaScript)."""
    heading = visit.page.locator('article h1')
    words = WORD.findall(visit.page.locator('article').inner_text())
    if heading.count() != 1 or not heading.is_visible() or len(words) < 100:
        return [f'{heading.count()} headings of level 1, {len(words)} words']
    return []
