"""A factor on every shortcut (notebook 06), against plain Python."""
import math
import re

import dense_net
import pytest
from dense_net import WIDTH, norm_ratio, spoken_numbers
from explorables import explorable, page_of, spoken

PAGE = page_of('06_shortcuts_and_preactivation')


def drawn(line):
    """The values of a line of the first picture, whose axis has 10⁷ at y = 12, 10⁻²⁰ at 208."""
    return [10 ** (7 - (float(y) - 12) * 27 / 196)
            for y in re.findall(r'[ML][\d.-]+ ([\d.-]+)', line.get_attribute('d'))]


@pytest.mark.parametrize(('factor', 'n', 'strong'), [
    (0.9, 54, False), (0.9, 20, True), (0.5, 12, False), (1.1, 30, True), (1, 8, False)])
def test_says_and_draws_the_direct_part_and_the_whole(room, visit, factor, n, strong):
    room.get_by_label('every shortcut').fill(str(factor))
    room.get_by_label('blocks n').fill(str(n))
    room.get_by_label('5 times' if strong else 'as in figure 1').check()
    scale = (0.5 if strong else 0.1) / math.sqrt(WIDTH)
    _, gradients = dense_net.travel(dense_net.numbers_of(visit.page, n), n, 'dense tanh', '',
                                    factor, scale)
    whole = [norm_ratio(each, gradients[-1]) for each in gradients]
    said = spoken_numbers(spoken(room))
    assert (said[0], said[2], said[-1]) == pytest.approx((n, factor ** n, whole[0]), rel=0.06)
    assert spoken(room).endswith('which training would change.') == strong
    picture, curve = room.get_by_role('img').all()
    assert spoken_numbers(curve.get_attribute('aria-label'))[-1] == said[2]
    assert drawn(picture.locator('.line.marked')) == pytest.approx(
        [factor ** (n - block) for block in range(n + 1)], rel=0.04)  # drawn to a tenth of a unit
    assert drawn(picture.locator('.line.residual')) == pytest.approx(whole, rel=0.04)


@pytest.mark.parametrize(('factor', 'change'), [
    (0.5, 'Every block halves it.'), (0.9, 'Every 7 blocks or so halve it.'),
    (0.99, 'Every 69 blocks or so halve it.'), (1, 'Nothing of it is lost, at any depth.'),
    (1.01, 'Every 70 blocks or so double it.'), (1.2, 'Every 4 blocks or so double it.')])
def test_says_when_half_is_lost(room, factor, change):
    room.get_by_label('every shortcut').fill(str(factor))
    assert change in spoken(room)


def test_larger_weights_leave_the_direct_part_alone(room):
    direct, _, weak = spoken_numbers(spoken(room))[2:]
    room.get_by_text('5 times as large', exact=True).tap()
    same, _, strong = spoken_numbers(spoken(room))[2:]
    assert same == direct < 0.01 and strong > 50 * weak


@pytest.mark.parametrize('factor', ['0.5', '1.2'])
def test_nothing_leaves_the_pictures(room, factor):
    room.get_by_text('5 times as large', exact=True).tap()
    room.get_by_label('every shortcut').fill(factor)
    room.get_by_label('blocks n').press('End')
    for picture in room.get_by_role('img').all():
        for dot in picture.locator('circle').all():
            assert 12 < float(dot.get_attribute('cy')) < 208
        outer = picture.bounding_box()
        for text in picture.locator('text').all():
            inner = text.bounding_box()
            assert outer['x'] - 1 <= inner['x']
            assert inner['x'] + inner['width'] <= outer['x'] + outer['width'] + 1


def test_mouse_keyboard_and_touch(room, visit):
    factor, blocks = room.get_by_label('every shortcut'), room.get_by_label('blocks n')
    before = spoken(room)
    box = factor.bounding_box()
    factor.click(position={'x': box['width'] * 0.9, 'y': box['height'] / 2})
    assert float(factor.input_value()) > 1.05 and spoken(room) != before
    factor.focus()
    visit.page.keyboard.press('Home')
    visit.page.keyboard.press('ArrowRight')
    assert factor.get_attribute('aria-valuetext') == '0.51'
    assert spoken_numbers(spoken(room))[2] == pytest.approx(0.51 ** 54, rel=0.06)
    before = spoken(room)
    box = blocks.bounding_box()
    blocks.tap(position={'x': box['width'] * 0.25, 'y': box['height'] / 2})
    assert int(blocks.input_value()) < 35 and spoken(room) != before


def test_says_it_in_chinese(site):
    with site.visit(page_of('06_shortcuts_and_preactivation', 'zh')) as visit:
        room = explorable(visit, 'factor')
        room.get_by_label('每条捷径').fill('1')
        assert '无论多深' in spoken(room)
