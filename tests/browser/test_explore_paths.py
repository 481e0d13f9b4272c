"""The paths through a chain of blocks (notebook 02), against an enumeration in Python."""
import itertools

import checks
import pytest
from explorables import explorable, page_of

PAGE = page_of('02_residual_block')
NAMES = ['F₁', 'F₂', 'F₃', 'F₄', 'F₅']


def paths(n):
    """In the order of figure 8, which drawings.draw_paths sorts so."""
    return sorted(itertools.product((False, True), repeat=n),
                  key=lambda path: (sum(path), [not passed for passed in path]))


def label(path, deleted=()):
    passed = [name for name, here in zip(NAMES, path, strict=False) if here]
    cut = any(path[block] for block in deleted)
    return f"through {', '.join(passed) or 'no block'}{', cut' if cut else ''}"


def chips(room):
    return room.locator('.paths-rows').get_by_role('radio')


def block(room, number):
    return room.get_by_role('button', name=f'delete block F{"₁₂₃₄₅"[number]}')


def labels(room):
    return [chip.get_attribute('aria-label') for chip in chips(room).all()]


@pytest.mark.parametrize('n', range(1, 6))
def test_shows_every_path_and_which_are_left(room, n):
    room.get_by_label('blocks n').fill(str(n))
    assert labels(room) == [label(path) for path in paths(n)]
    deleted = []
    for number in reversed(range(n)):
        block(room, number).click()
        deleted.append(number)
        assert labels(room) == [label(path, deleted) for path in paths(n)]
        spoken = room.locator('.explore-spoken').inner_text()
        assert f'{2 ** n} paths: 1 through none' in spoken
        assert spoken.endswith(f': {2 ** (n - len(deleted))} left.')
        assert room.locator('.cut').count() == 2 ** n - 2 ** (n - len(deleted))


def test_says_how_many_paths_pass_how_many_blocks(room):
    spoken = room.locator('.explore-spoken')
    assert spoken.inner_text() == ('3 blocks, 8 paths: 1 through none, 3 through one, '
                                   '3 through two, 1 through all.')
    block(room, 1).click()
    assert spoken.inner_text().endswith(' Without F₂: 4 left.')
    rows = room.locator('.paths-row').all()
    assert [row.inner_text().split() for row in rows] == [
        'through none 1'.split(), 'through one 2 of 3 left'.split(),
        'through two 1 of 3 left'.split(), 'through all 0 of 1 left'.split()]
    block(room, 1).click()
    assert 'Without' not in spoken.inner_text()


def test_one_deleted_block_cuts_a_plain_net(room):
    room.get_by_label('plain net').check()
    spoken = room.locator('.explore-spoken')
    assert spoken.inner_text() == '3 blocks, only 1 path: through all.'
    assert 'without shortcuts a path goes through every block' in room.inner_text()
    assert 'Choose a path' not in room.inner_text()
    assert labels(room) == ['through F₁, F₂, F₃']
    assert room.get_by_role('img').locator('.residual').count() == 0  # no shortcut
    block(room, 1).click()
    assert spoken.inner_text() == '3 blocks, only 1 path: through all. Without F₂: none left.'
    room.get_by_label('residual net').check()
    assert spoken.inner_text().endswith('Without F₂: 4 left.')
    assert 'a path goes through each block or skips it' in room.inner_text()


def test_a_chosen_path_is_lit_until_it_is_cut(room):
    room.get_by_label('blocks n').fill('4')
    for path, chip in zip(paths(4), chips(room).all(), strict=True):
        chip.check()
        lit = [block(room, number).evaluate('e => e.classList.contains("marked")')
               for number in range(4)]
        assert lit == list(path)
        assert label(path) in room.get_by_role('img').get_attribute('aria-label')
    block(room, 2).click()  # of the last path, through all
    assert [block(room, number).evaluate('e => e.classList.contains("marked")')
            for number in range(4)] == [True, True, True, False]
    assert ', cut' in room.get_by_role('img').get_attribute('aria-label')


def test_by_keyboard(visit, room):
    keyboard, spoken = visit.page.keyboard, room.locator('.explore-spoken')
    room.get_by_label('blocks n').press('ArrowRight')
    assert spoken.inner_text().startswith('4 blocks, 16 paths')
    keyboard.press('Tab')  # the kind of net
    keyboard.press('Tab')  # F₁
    keyboard.press('Space')
    keyboard.press('Tab')
    keyboard.press('Enter')
    assert spoken.inner_text().endswith('Without F₁, F₂: 4 left.')
    for _ in range(3):  # F₃, F₄, and to the paths, of which one is chosen: through F₁ and F₃
        keyboard.press('Tab')
    focused = visit.page.locator(':focus')
    assert focused.get_attribute('aria-label') == label((1, 0, 1, 0), [0, 1])
    keyboard.press('ArrowRight')
    assert focused.get_attribute('aria-label') == label((1, 0, 0, 1), [0, 1])
    assert focused.is_checked()
    assert label((1, 0, 0, 1), [0, 1]) in room.get_by_role('img').get_attribute('aria-label')


@pytest.mark.parametrize('options', [{}, {'viewport': {'width': 390, 'height': 844}}])
def test_by_touch(site, options):
    with site.visit(PAGE, has_touch=True, **options) as visit:
        room = explorable(visit, 'paths')
        slider = room.get_by_label('blocks n')
        slider.tap(position={'x': slider.bounding_box()['width'] - 3, 'y': 16})
        block(room, 4).tap()
        assert room.locator('.explore-spoken').inner_text().endswith('Without F₅: 16 left.')
        chips(room).last.tap()
        assert chips(room).last.is_checked()
        room.get_by_label('plain net').tap()
        assert room.locator('.explore-spoken').inner_text().endswith('Without F₅: none left.')
        slider.tap(position={'x': 3, 'y': 16})
        assert room.locator('.explore-spoken').inner_text() == '1 block, only 1 path: through all.'


@pytest.mark.parametrize('width', [390, 1280])
def test_is_large_enough_for_fingers_and_moves_nothing_but_the_list(site, width):
    with site.visit(PAGE, viewport={'width': width, 'height': 844}) as visit:
        room = explorable(visit, 'paths')
        tops = set()

        def measure():
            """Where the list begins; it is the last thing, with no empty space below it."""
            whole, rule, rows = (room.locator(each).first.bounding_box() for each in (
                'section', '.explore-key', '.paths-rows'))
            tops.add(round(rule['y'] - whole['y'], 1))
            assert whole['y'] + whole['height'] - rows['y'] - rows['height'] < 40

        for n in (1, 3, 5):
            room.get_by_label('blocks n').fill(str(n))
            measure()
            for each in room.locator('button, .paths-chip input').all():
                box = each.bounding_box()
                assert min(box['width'], box['height']) >= 36
        for number in range(5):
            block(room, number).click()
        measure()
        room.get_by_label('plain net').check()
        measure()
        assert len(tops) == 1


def test_in_chinese(site):
    with site.visit(page_of('02_residual_block', 'zh')) as visit:
        room = explorable(visit, 'paths')
        room.get_by_role('button').nth(1).click()
        assert room.locator('.explore-spoken').inner_text() == (
            '3 个块，8 条路径：1 条不穿过任何块，3 条穿过一个块，3 条穿过两个块，1 条穿过所有块。'
            '删掉 F₂：还剩 4 条。')
        assert checks.check_quiet(visit) == []
