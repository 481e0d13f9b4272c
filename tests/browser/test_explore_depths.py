"""Error against depth (notebook 01), against records/depths_01.json."""
import json
import re
from functools import partial
from statistics import mean

import checks
import pytest
from explorables import explorable, page_of
from served import ROOT

PAGE = page_of('01_degradation')
RECORD = json.loads((ROOT / 'records' / 'depths_01.json').read_text('utf-8'))
DEPTHS = RECORD['depths']
ROUNDED = partial(pytest.approx, abs=0.056)  # the data to two decimal places, then to one


def errors(kind, depth, epoch, part='train'):
    """In percent, of each seed."""
    return [100 * (1 - RECORD['runs'][f'{kind}-{depth}, seed {seed}'][epoch - 1][f'{part}_acc'])
            for seed in RECORD['seeds']]


def result(kind, depth, epoch, part='train'):
    """What is to be spoken of one net: names, errors, its kind's best, and how many come near."""
    found = errors(kind, depth, epoch, part)
    best = min(DEPTHS, key=lambda each: mean(errors(kind, each, epoch, part)))
    high = max(errors(kind, best, epoch, part))
    near = sum(min(errors(kind, each, epoch, part)) <= high + 0.005 for each in DEPTHS) - 1
    return ((f'{kind}-{depth}', epoch, {'train': 'training', 'test': 'test'}[part],
             f'{kind}-{best}', near), ROUNDED([mean(found), min(found), max(found)]))


def said(room):
    """What is spoken of each net."""
    text = room.locator('.explore-spoken').inner_text()
    found = re.findall(r'(\S+) in epoch (\d): (\w+) error (\S+)\s% \((\S+) to (\S+)\s%\)\. '
                       r'Least of all depths: ([\w-]+)(?:, but its range meets (\d) others)?\.',
                       text)
    return [((net, int(epoch), part, best, int(near or 0)), [float(error) for error in numbers])
            for net, epoch, part, *numbers, best, near in found]


def points(line):
    """The errors of a drawn line, read off the picture: 0 % is at y = 208, 100 % at 12."""
    return [(208 - float(y)) / 1.96
            for y in re.findall(r'[ML][\d.]+ ([\d.]+)', line.get_attribute('d'))]


@pytest.mark.parametrize('part', ['train', 'test'])
def test_says_the_recorded_errors_of_every_depth_and_epoch(room, part):
    room.get_by_role('button').click()
    room.get_by_role('radio', name=part).check()
    for depth in DEPTHS:
        room.get_by_label('depth', exact=True).fill(str(depth))
        for epoch in range(1, 7):
            room.get_by_label('training time').fill(str(epoch))
            assert said(room) == [result(kind, depth, epoch, part) for kind in ('plain', 'ResNet')]


def test_draws_the_recorded_errors(room):
    room.get_by_role('button').click()
    room.get_by_label('depth', exact=True).fill('32')
    room.get_by_label('training time').fill('3')
    curves, profiles = room.get_by_role('img').all()
    for look, kind in (('plain', 'plain'), ('residual', 'ResNet')):
        assert points(curves.locator(f'.line.{look}')) == pytest.approx(
            [mean(errors(kind, 32, epoch)) for epoch in range(1, 7)], abs=0.1)
        assert points(profiles.locator(f'.line.{look}')) == pytest.approx(
            [mean(errors(kind, depth, 3)) for depth in DEPTHS], abs=0.1)
        lows, highs = ([edge(errors(kind, depth, 3)) for depth in DEPTHS] for edge in (min, max))
        assert points(profiles.locator(f'.band.{look}')) == pytest.approx(
            lows + highs[::-1], abs=0.1)


def test_pictures_say_what_they_show(room):
    curves, profiles = (re.findall(r'\d+\.\d', picture.get_attribute('aria-label'))
                        for picture in room.get_by_role('img').all())
    assert list(map(float, curves)) == ROUNDED(
        [mean(errors('plain', 56, epoch)) for epoch in range(1, 7)])
    assert list(map(float, profiles)) == ROUNDED(
        [mean(errors('plain', depth, 6)) for depth in DEPTHS])


def test_begins_without_the_answer_of_notebook_02(room):
    assert 'Least of all depths' not in room.inner_text()  # which the reader is asked for
    room.get_by_label('training time').fill('6')
    assert said(room) == [result('plain', 56, 6)]
    assert room.locator('.line.residual').count() == 0
    room.get_by_role('button', name='show').tap()
    assert said(room) == [result('plain', 56, 6), result('ResNet', 56, 6)]
    assert room.locator('.line.residual').count() == 2
    room.get_by_role('button', name='hide').tap()
    assert said(room) == [result('plain', 56, 6)]
    assert 'ResNet' not in room.inner_text()


def test_by_keyboard(visit, room):
    depth, time = room.get_by_label('depth', exact=True), room.get_by_label('training time')
    depth.press('ArrowLeft')
    time.press('Home')
    assert depth.get_attribute('aria-valuetext') == '50 layers'
    assert said(room) == [result('plain', 50, 1)]
    for key in ('Tab', 'ArrowRight', 'Tab', 'Space'):  # to the other error; to the button
        visit.page.keyboard.press(key)
    assert said(room) == [result('plain', 50, 1, 'test'), result('ResNet', 50, 1, 'test')]


@pytest.mark.parametrize('way', ['click', 'tap'])
def test_by_mouse_and_by_touch(room, way):
    depth, time = room.get_by_label('depth', exact=True), room.get_by_label('training time')
    for slider in (depth, time):
        getattr(slider, way)(position={'x': 3, 'y': 16})  # its left end
    getattr(room.get_by_role('radio', name='test'), way)()
    assert said(room) == [result('plain', 8, 1, 'test')]


@pytest.mark.parametrize('width', [390, 1280])
def test_nothing_moves_when_more_is_shown(site, width):
    with site.visit(PAGE, viewport={'width': width, 'height': 844}) as visit:
        room = explorable(visit, 'depths')
        height = room.bounding_box()['height']
        room.get_by_role('button').click()
        for epoch in range(1, 7):
            room.get_by_label('training time').fill(str(epoch))
            assert room.bounding_box()['height'] == height


def test_in_chinese(site):
    with site.visit(page_of('01_degradation', 'zh')) as visit:
        room = explorable(visit, 'depths')
        told = room.locator('.explore-spoken')
        pattern = r'plain-56，第 6 轮：训练误差 (\S+)%（(\S+)% 到 (\S+)%）。'
        found = re.fullmatch(pattern, told.inner_text())  # not yet what the reader is asked for
        names, expected = result('plain', 56, 6)
        assert list(map(float, found.groups())) == expected
        room.get_by_label('训练时间').fill('6')
        found = re.fullmatch(pattern + r'各深度中最低的是 ([\w-]+)'
                             r'(?:，但它的范围与另外 (\d) 个深度有重叠)?。', told.inner_text())
        assert (found[4], int(found[5] or 0)) == names[3:]
        assert checks.check_quiet(visit) == []
