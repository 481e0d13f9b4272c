"""The nets in the page: they compute what MXNet computes; and the laboratory of notebook 07."""
import json

import checks
import pytest
from explorables import explorable, page_of
from served import ROOT

PAGE = page_of('07_inside_a_resnet')
REFERENCE = ROOT / 'build' / 'explore' / 'reference.json'
CLOSE = 1e-4

RUN = '''async ({net, order}) => {
    const nets = await import(new URL('../_static/explore/nets.js', location));
    const data = await import(new URL('../_static/explore/data.js', location));
    const index = await nets.readIndex();
    await nets.loadNets([net], index);
    const pictures = await data.readNumbers('data/images.bin');
    const scores = [];
    await new Promise((resolve, reject) => nets.run(
        {name: net, order, pictures, shape: index[net].shape, series: 'test'},
        (answer) => {
            if (answer.error) reject(answer.error);
            scores.push(...answer.scores);
            if (answer.done) resolve();
        }));
    return scores;
}'''


@pytest.fixture(scope='module')
def reference():
    return json.loads(REFERENCE.read_text('utf-8'))


@pytest.fixture(scope='module')
def visit(site):
    with site.visit(PAGE) as visit:
        yield visit


def wrong(scores, labels):
    return sum(row.index(max(row)) != label for row, label in zip(scores, labels, strict=True))


def labels():
    return json.loads((ROOT / 'build/explore/data/labels.json').read_text('utf-8'))


@pytest.mark.parametrize('net', ['plain-20', 'ResNet-20', 'ResNet-56'])
def test_scores_are_mxnets(visit, reference, net):
    seen = []
    for change, known in reference[net].items():
        scores = visit.page.evaluate(RUN, {'net': net, 'order': known['order']})
        flat = [value for row in known['scores'] for value in row]
        assert len(scores) == len(flat) == 5000
        worst = max(abs(a - b) for a, b in zip(scores, flat, strict=True))
        assert worst < CLOSE, (change, worst)
        seen.append(tuple(scores))
    assert len(set(seen)) == len(reference[net])  # the changes do change something
    assert checks.check_quiet(visit) == []


def loaded(visit):
    """The laboratory, its nets loaded, the first answer spoken."""
    room = explorable(visit, 'blocks')
    room.locator('.explore-loader button').click()
    said(room, 'plain-20')
    return room


def said(room, *words):
    """What is spoken, once it holds all these words."""
    line = room.locator('.explore-spoken')
    for word in words:
        line.filter(has_text=word).wait_for()
    return line.inner_text()


def test_delete_a_block_by_mouse(site, reference):
    with site.visit(PAGE) as visit:
        room = loaded(visit)
        count = wrong(reference['plain-20']['whole']['scores'], labels())
        assert f'{count} of 500' in said(room, 'whole')
        room.get_by_role('button', name='block 3', exact=True).click()
        count = wrong(reference['plain-20']['without block 3']['scores'], labels())
        assert f'{count} of 500' in said(room, 'without block 3') and count > 350
        room.get_by_label('ResNet-56').check()
        said(room, 'ResNet-56 whole')
        room.get_by_role('button', name='block 3', exact=True).click()
        count = wrong(reference['ResNet-56']['without block 3']['scores'], labels())
        assert f'{count} of 500' in said(room, 'ResNet-56', 'without block 3') and count < 150
        assert checks.check_quiet(visit) == []
        assert checks.check_accessible(visit) == []


def test_touches_while_it_still_counts_do_not_mix(site, reference):
    with site.visit(PAGE) as visit:
        room = loaded(visit)
        room.get_by_label('ResNet-56').check()
        for block in (27, 26, 3):  # the whole net has not been counted when the first is deleted
            room.get_by_role('button', name=f'block {block}', exact=True).click()
        assert 'of 500 wrong' in said(room, 'without blocks 3, 26, 27')
        for block in (26, 27):
            room.get_by_role('button', name=f'block {block}', exact=True).click()
        count = wrong(reference['ResNet-56']['without block 3']['scores'], labels())
        assert f'{count} of 500' in said(room, 'without block 3:')
        room.get_by_role('button', name='put all back').click()
        count = wrong(reference['ResNet-56']['whole']['scores'], labels())
        assert f'{count} of 500' in said(room, 'ResNet-56 whole')


def test_delete_and_swap_by_keyboard(site, reference):
    with site.visit(PAGE) as visit:
        room = loaded(visit)
        room.get_by_role('button', name='block 4', exact=True).focus()
        visit.page.keyboard.press('Space')
        count = wrong(reference['plain-20']['without the first of stage 2']['scores'], labels())
        assert f'{count} of 500' in said(room, 'without block 4')
        visit.page.keyboard.press('Space')  # the focus is still there: it comes back
        said(room, 'plain-20 whole')
        room.get_by_label('swaps with the next').focus()
        visit.page.keyboard.press('Space')
        assert room.get_by_role('button', name='block 4', exact=True).is_disabled()
        room.get_by_role('button', name='block 2', exact=True).focus()
        visit.page.keyboard.press('Enter')
        count = wrong(reference['plain-20']['2 and 3 swapped']['scores'], labels())
        assert f'{count} of 500' in said(room, 'with 2↔3')


def test_delete_a_block_by_touch_on_a_telephone_in_chinese_offline(site, reference):
    """Who has never installed anything; and the network may go once the nets are there."""
    with site.visit(page_of('07_inside_a_resnet', 'zh'), has_touch=True, is_mobile=True,
                    viewport={'width': 390, 'height': 844}) as visit:
        room = explorable(visit, 'blocks')
        room.locator('.explore-loader button').tap()
        said(room, 'plain-20 完整')
        visit.page.context.set_offline(True)
        room.locator('label', has_text='ResNet-56').tap()
        said(room, 'ResNet-56 完整')
        room.get_by_role('button', name='块 3', exact=True).tap()
        count = wrong(reference['ResNet-56']['without block 3']['scores'], labels())
        assert f'错了 {count} 张' in said(room, '删掉块 3')
        assert checks.check_fits(visit) == []
        assert checks.check_quiet(visit) == []


def test_without_network_it_says_so_and_can_be_tried_again(site):
    with site.visit(PAGE) as visit:
        room = explorable(visit, 'blocks')
        visit.page.context.set_offline(True)
        button = room.locator('.explore-loader button')
        button.click()
        room.locator('.explore-loader', has_text='online').wait_for()
        visit.page.context.set_offline(False)
        button.click()
        said(room, 'plain-20 whole')
