"""A chain of sigmoids (notebook 01), against plain Python."""
import itertools
import math
import re

import checks
import pytest
from dense_net import spoken_numbers
from explorables import explorable, page_of, spoken

PAGE = page_of('01_degradation')

# The words and dots of pictures that reach beyond them.
OUTSIDE = """room => [...room.querySelectorAll('circle.dot, .word')].filter(shape => {
    const box = shape.getBBox(), {width, height} = shape.ownerSVGElement.viewBox.baseVal;
    return box.x < 0 || box.x + box.width > width || box.y < 0 || box.y + box.height > height - 36;
}).map(shape => shape.outerHTML)"""


def chain(w, depth, centred):
    """The last neuron's z and, by layers back from it, the gradient's logarithm to base 10."""
    a, factors = 0.5, []
    for _ in range(depth):
        z = w * (a - 0.5) if centred else w * a
        tanh = math.tanh(z / 2)
        a = (1 + tanh) / 2
        factors.append(math.log10(w * (1 - tanh ** 2) / 4))
    return z, list(itertools.accumulate(reversed(factors), initial=0))


def weight(room):
    return room.get_by_label('weight w')


def neurons(room):
    return room.get_by_label('neurons in the chain')


def assert_says(room, w, depth, centred):
    z, gradient = chain(w, depth, centred)
    layers, whole, last, factor = spoken_numbers(spoken(room))
    assert layers == depth and last == pytest.approx(z, abs=0.0051)
    assert (whole, factor) == pytest.approx((10 ** gradient[-1], 10 ** gradient[1]), rel=0.051)


def drawn(line):
    """The logarithms of a line of the right picture, with 10²² at y = 12, 10⁻⁸⁰ at 208."""
    return [22 - (float(y) - 12) * 102 / 196
            for y in re.findall(r'[ML][\d.]+ ([\d.]+)', line.get_attribute('d'))]


@pytest.mark.parametrize(('w', 'depth', 'centred'), [
    (1, 30, False), (8, 30, False), (8, 30, True), (4, 30, True), (0.5, 12, True), (2.5, 1, False)])
def test_says_and_draws_the_gradient(room, w, depth, centred):
    weight(room).fill(str(w))
    neurons(room).fill(str(depth))
    room.get_by_label('centred' if centred else 'no bias').check()
    assert_says(room, w, depth, centred)
    picture = room.get_by_role('img').last
    assert drawn(picture.locator('.line.strong')) == pytest.approx(
        chain(w, depth, centred)[1], abs=0.03)  # to a tenth of a unit
    assert drawn(picture.locator('.line.quiet')) == pytest.approx(
        [layer * math.log10(w / 4) for layer in range(depth + 1)], abs=0.03)


def test_everything_stays_inside_the_pictures(room):
    for w, centred in ((0.5, True), (1, False), (3.5, False), (4.5, False), (8, False), (8, True)):
        weight(room).fill(str(w))
        room.get_by_label('centred' if centred else 'no bias').check()
        assert room.evaluate(OUTSIDE) == []


def test_the_dot_lies_on_the_slope_where_the_last_neuron_is(room):
    weight(room).fill('6')
    z, _ = chain(6, 30, False)
    dot = room.get_by_role('img').first.locator('circle.dot')
    slope = (1 - math.tanh(z / 2) ** 2) / 4
    assert float(dot.get_attribute('cx')) == pytest.approx(72 + (z + 9) / 18 * 316, abs=0.06)
    assert float(dot.get_attribute('cy')) == pytest.approx(
        208 - (slope + 0.01) / 0.31 * 196, abs=0.06)


def test_mouse(room):
    assert_says(room, 1, 30, False)
    box = weight(room).bounding_box()
    weight(room).click(position={'x': box['width'] - 3, 'y': box['height'] / 2})
    assert_says(room, 8, 30, False)
    room.get_by_label('centred').click()
    assert_says(room, 8, 30, True)


def test_keyboard(room, visit):
    weight(room).focus()
    visit.page.keyboard.press('ArrowRight')
    assert_says(room, 1.5, 30, False)
    visit.page.keyboard.press('Tab')
    visit.page.keyboard.press('Home')
    visit.page.keyboard.press('ArrowRight')
    assert_says(room, 1.5, 2, False)
    visit.page.keyboard.press('Tab')
    visit.page.keyboard.press('ArrowRight')
    assert_says(room, 1.5, 2, True)


def test_touch(room):
    box = neurons(room).bounding_box()
    neurons(room).tap(position={'x': 3, 'y': box['height'] / 2})
    assert_says(room, 1, 1, False)
    weight(room).tap(position={'x': box['width'] - 3, 'y': box['height'] / 2})
    room.get_by_text('centred').tap()
    assert_says(room, 8, 1, True)


@pytest.mark.parametrize('language', ['en', 'zh'])
@pytest.mark.parametrize('width', [390, 1280])
def test_never_changes_its_height(site, width, language):
    page = page_of('01_degradation', language)
    with site.visit(page, viewport={'width': width, 'height': 844}) as visit:
        room = explorable(visit, 'sigmoid')
        first, second = room.get_by_role('slider').all()
        heights = set()
        for w, depth in ((1, 30), (8, 30), (4.5, 29), (0.5, 1)):
            first.fill(str(w))
            second.fill(str(depth))
            for bias in room.get_by_role('radio').all():
                bias.check()
                heights.add(room.bounding_box()['height'])
        assert len(heights) == 1


def test_says_it_in_chinese(site):
    with site.visit(page_of('01_degradation', 'zh')) as visit:
        room = explorable(visit, 'sigmoid')
        room.get_by_label('居中').check()
        room.get_by_label('权重 w').fill('4')
        assert spoken(room) == ('往回传 30 层，梯度共乘以 1。最后一个神经元停在 z = 0.00，'
                                '这样的一层乘以 1。')
        assert checks.check_quiet(visit) == []
