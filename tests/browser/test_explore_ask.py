"""The nets that answer to a drawing, an example or a file: notebooks 04 and 09."""
import json
import math
import struct
import zlib

import checks
import pytest
from explorables import explorable, page_of
from served import ROOT

PLACES = {'clothes': '04_fashion_mnist', 'crockery': '09_your_own_images'}


@pytest.fixture(scope='module')
def reference():
    return json.loads((ROOT / 'build' / 'explore' / 'reference.json').read_text('utf-8'))


def loaded(visit, name):
    room = explorable(visit, name)
    room.locator('.explore-loader button').click()
    room.locator('.explore-spoken', has_text='It says').wait_for()
    return room


def shown(room):
    """The probabilities on the page, in per cent."""
    return [float(text.replace('\xa0%', '').lstrip('<>\xa0'))
            for text in room.locator('.value').all_inner_texts()]


def softmax(scores):
    raised = [math.exp(score - max(scores)) for score in scores]
    return [100 * value / sum(raised) for value in raised]


def answer(room, change):
    """What is shown after a change that alters it."""
    before = shown(room)
    change()
    for _ in range(50):
        if shown(room) != before:
            break
        room.page.wait_for_timeout(100)
    room.page.wait_for_timeout(300)
    return shown(room)


@pytest.mark.parametrize(('name', 'notebook'), PLACES.items())
def test_examples_get_mxnets_probabilities(site, reference, name, notebook):
    with site.visit(page_of(notebook)) as visit:
        room = loaded(visit, name)
        for i, sample in enumerate(room.locator('.explore-sample').all()):
            if i:
                answer(room, sample.click)
            expected = softmax(reference[name][i])
            assert all(abs(a - b) < 0.6 for a, b in zip(shown(room), expected, strict=True))
        assert i + 1 == len(reference[name])
        assert room.locator('.explore-maps canvas').count() == 4 * 8
        assert checks.check_quiet(visit) == []
        assert checks.check_accessible(visit) == []


def test_draw_by_mouse_move_by_keyboard_and_clear(site):
    with site.visit(page_of('04_fashion_mnist')) as visit:
        room = loaded(visit, 'clothes')
        empty = answer(room, room.get_by_role('button', name='clear').click)
        paper = room.locator('.explore-paper')
        paper.scroll_into_view_if_needed()
        box = paper.bounding_box()

        def stroke():
            visit.page.mouse.move(box['x'] + 60, box['y'] + 60)
            visit.page.mouse.down()
            visit.page.mouse.move(box['x'] + 60, box['y'] + 250, steps=5)
            visit.page.mouse.up()
        drawn = answer(room, stroke)
        assert drawn != empty
        paper.focus()
        moved = answer(room, lambda: [visit.page.keyboard.press('ArrowRight') for _ in range(6)])
        assert moved != drawn
        back = room.get_by_role('button', name='move left')
        assert answer(room, lambda: [back.click() for _ in range(6)]) == drawn
        assert answer(room, room.get_by_role('button', name='clear').click) == empty
        assert checks.check_quiet(visit) == []


def test_smudge_takes_the_colour_where_it_begins(site):
    with site.visit(page_of('04_fashion_mnist')) as visit:
        room = loaded(visit, 'clothes')
        room.get_by_role('button', name='clear').click()
        room.locator('.explore-spoken', has_text='The sheet is empty').wait_for()
        empty = shown(room)
        room.get_by_label('smudge').check()
        room.locator('.explore-paper').click()  # black on black
        room.locator('.explore-spoken').filter(has_not_text='empty').wait_for()
        assert shown(room) == empty
        room.get_by_label('pen').check()
        assert answer(room, room.locator('.explore-paper').click) != empty


def test_draw_by_touch(site):
    with site.visit(page_of('09_your_own_images'), has_touch=True, is_mobile=True,
                    viewport={'width': 390, 'height': 844}) as visit:
        room = loaded(visit, 'crockery')
        empty = answer(room, room.get_by_role('button', name='clear').tap)
        assert answer(room, room.locator('.explore-paper').tap) != empty
        assert checks.check_fits(visit) == []


def png(width, height, grey):
    """The bytes of a grey picture of one shade."""
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data
                + struct.pack('>I', zlib.crc32(kind + data)))
    rows = height * (b'\x00' + bytes([grey]) * width)
    head = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows))
            + chunk(b'IEND', b''))


def test_a_file_of_ones_own_and_one_that_is_no_picture(site):
    with site.visit(page_of('04_fashion_mnist')) as visit:
        room = loaded(visit, 'clothes')
        empty = answer(room, room.get_by_role('button', name='clear').click)
        field = room.locator('input[type=file]')

        def give(name, content):
            field.set_input_files({'name': name, 'mimeType': 'image/png', 'buffer': content})
        assert answer(room, lambda: give('grey.png', png(80, 50, 128))) != empty
        assert answer(room, lambda: give('black.png', png(80, 50, 0))) == empty
        give('notes.png', b'This is not a picture.')
        room.locator('.explore-spoken', has_text='no picture').wait_for()
        assert shown(room) == empty
        assert checks.check_quiet(visit) == []
