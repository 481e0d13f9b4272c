"""The five orders of BN and ReLU (notebook 06), against resnet.py and plain Python."""
import ast

import dense_net
import pytest
from dense_net import mean_square, spoken_numbers
from explorables import explorable, page_of, spoken
from served import ROOT

PAGE = page_of('06_shortcuts_and_preactivation')


def read_orders():
    """ORDERS of resnet.py, which cannot be imported here: it wants MXNet."""
    for node in ast.parse((ROOT / 'resnet.py').read_text('utf-8')).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == 'ORDERS':
            return ast.literal_eval(node.value)


ORDERS = {name: [words.replace('conv', 'dense') for words in both]
          for name, both in read_orders().items()}


def test_the_orders_are_the_notebooks(visit):
    assert len(ORDERS) == 5 and ORDERS == visit.page.evaluate(
        "async () => (await import('/_static/explore/order.js')).ORDERS")


@pytest.mark.parametrize('n', [1, 30])
@pytest.mark.parametrize('order', ORDERS)
def test_says_what_plain_python_computes(room, visit, order, n):
    room.get_by_label(order, exact=True).check()
    room.get_by_label('blocks n').fill(str(n))
    branch, after = ORDERS[order]
    signals, gradients = dense_net.travel(dense_net.numbers_of(visit.page, n), n, branch, after)
    assert spoken_numbers(spoken(room)) == pytest.approx(
        [n, mean_square(signals[-1]), 1, mean_square(gradients[0])], rel=0.06)
    assert f"On the direct path: {after.replace(' ', ' and ') or 'nothing'}." in spoken(room)
    assert ('it can only add' in spoken(room)) == (order == 'ReLU before addition')


@pytest.mark.parametrize('order', ORDERS)
def test_draws_the_block_with_what_stands_on_the_direct_path(room, order):
    room.get_by_label(order, exact=True).check()
    branch, after = (words.split() for words in ORDERS[order])
    drawing = room.locator('.explore-order-block svg')
    boxes = drawing.locator('g:has(> text)')
    assert boxes.all_text_contents() == [*branch, '+', *after]
    on_path = drawing.locator('g:has(> rect.residual)')
    assert on_path.all_text_contents() == after
    label = drawing.get_attribute('aria-label')
    assert ', '.join(branch) in label and (' and '.join(after) or 'nothing') in label


def test_one_of_five_lines_is_strong_and_changes(room):
    pictures = room.locator('.explore-pictures svg').all()
    ways = set()
    for order in ORDERS:
        room.get_by_label(order, exact=True).check()
        for picture in pictures:
            assert picture.locator('.line.residual:not(.thin)').count() == 1
            ways.add(picture.locator('.line.residual:not(.thin)').get_attribute('d'))
    assert len(ways) == 10


@pytest.mark.parametrize('n', ['1', '30', '40'])
def test_every_line_has_its_name_which_meets_no_other(room, n):
    room.get_by_label('blocks n').fill(n)
    for chosen, (order, brief) in enumerate(zip(
            ORDERS, ['original', 'BN after', 'ReLU before', 'ReLU-only', 'full'], strict=True)):
        room.get_by_label(order, exact=True).check()
        for picture in room.locator('.explore-pictures svg').all():
            names = picture.locator('text.word')
            assert names.count() == 5
            assert names.nth(chosen).text_content().startswith(f'{brief} ')
            heights = sorted(float(each.get_attribute('y')) for each in names.all())
            assert all(b - a > 14 for a, b in zip(heights, heights[1:], strict=False))
            assert 20 < heights[0] and heights[-1] < 208
            for each in names.all():  # within what the picture does not cut off
                left, width = each.evaluate('e => [e.getBBox().x, e.getBBox().width]')
                assert 72 <= left and left + width <= 392
            # in the order of the lines' ends
            ends = [float(line.get_attribute('d').split('L')[0].split(' ')[1])
                    for line in picture.locator('.line.thin').all()[5:]]
            places = [float(each.get_attribute('y')) for each in names.all()]
            by_end, by_place = (sorted(range(5), key=each.__getitem__) for each in (ends, places))
            assert by_end == by_place


def test_mouse_keyboard_and_touch(room, visit):
    blocks, said = room.get_by_label('blocks n'), [spoken(room)]

    def has_changed():
        said.append(spoken(room))
        return said[-1] != said[-2]

    room.get_by_text('BN after addition').click()
    assert has_changed() and 'BN and ReLU' in said[-1]
    visit.page.keyboard.press('ArrowDown')
    assert room.get_by_label('ReLU before addition').is_checked() and has_changed()
    room.get_by_text('full pre-activation').tap()
    assert has_changed() and 'nothing' in said[-1]
    blocks.focus()
    visit.page.keyboard.press('ArrowLeft')
    assert blocks.input_value() == '29' and has_changed()
    box = blocks.bounding_box()
    blocks.tap(position={'x': box['width'] * 0.25, 'y': box['height'] / 2})
    assert int(blocks.input_value()) in range(9, 14) and has_changed()


def test_says_it_in_chinese(site):
    with site.visit(page_of('06_shortcuts_and_preactivation', 'zh')) as visit:
        room = explorable(visit, 'order')
        room.get_by_label('完全预激活').check()
        assert '直接路径上什么都没有' in spoken(room)
        room.get_by_label('原始顺序').check()
        assert '均方值是 1,800。直接路径上有：ReLU。' in spoken(room)


def test_chinese_names_fit_too(site):
    with site.visit(page_of('06_shortcuts_and_preactivation', 'zh')) as visit:
        room = explorable(visit, 'order')
        room.get_by_label('块数 n').press('End')
        for order in ['原始顺序', '加法后 BN', '加法前 ReLU', '仅 ReLU 预激活', '完全预激活']:
            room.get_by_label(order).check()
            for name in room.locator('text.word:not([writing-mode])').all():
                left, width = name.evaluate('e => [e.getBBox().x, e.getBBox().width]')
                assert 72 <= left and left + width <= 392
