"""A signal and its gradient through n blocks (notebook 02), against plain Python."""
import dense_net
import pytest
from dense_net import HE, norm_ratio, spoken_numbers
from explorables import explorable, page_of, spoken

PAGE = page_of('02_residual_block')


def pictures(room):
    """What the two pictures say: signal and gradient."""
    return [each.get_attribute('aria-label') for each in room.get_by_role('img').all()]


def nets(page, n, gain, bn):
    """Plain and residual: norms of signals and gradients, as multiples of what they begin with."""
    branch = 'dense BN ReLU dense BN' if bn else 'dense ReLU dense'
    for factor in (0, 1):
        signals, gradients = dense_net.travel(dense_net.numbers_of(page, n), n, branch, 'ReLU',
                                              factor, gain * HE)
        yield ([norm_ratio(each, signals[0]) for each in signals],
               [norm_ratio(each, gradients[-1]) for each in gradients])


@pytest.mark.parametrize(('n', 'gain', 'bn'), [(27, 1, True), (12, 0.8, False), (1, 1.5, False)])
def test_says_and_draws_what_plain_python_computes(room, visit, n, gain, bn):
    room.get_by_label('blocks n').fill(str(n))
    room.get_by_label('weights').fill(str(gain))
    room.get_by_label('on' if bn else 'off', exact=True).check()
    (plain_signal, plain), (signal, residual) = nets(visit.page, n, gain, bn)
    ends, factors = (plain[0], residual[0]), (plain[0] ** (1 / n), residual[0] ** (1 / n))
    *_, plain_end, plain_factor, end, factor = spoken_numbers(spoken(room))
    assert (plain_end, end) == pytest.approx(ends, rel=0.06)
    assert (plain_factor, factor) == pytest.approx(factors, rel=0.006)
    step = room.get_by_label('forward, then back')
    for block in {0, n // 2, n}:
        step.fill(str(block))
        assert spoken_numbers(pictures(room)[0])[1:] == pytest.approx(
            [plain_signal[block], signal[block]], rel=0.06)
        if block < n:  # at step n both pictures have a value, and the sentence has the gradient's
            assert spoken_numbers(spoken(room))[-2:] == spoken_numbers(pictures(room)[0])[1:]
        step.fill(str(2 * n - block))
        assert spoken_numbers(pictures(room)[1])[1:] == pytest.approx(
            [plain[block], residual[block]], rel=0.06)
        if block:
            assert spoken_numbers(spoken(room))[-2:] == spoken_numbers(pictures(room)[1])[1:]


def test_with_bn_the_weights_change_nothing_without_it_they_do(room):
    said = {}
    for bn in ('on', 'off'):
        room.get_by_label(bn, exact=True).check()
        for gain in ('0.5', '1.5'):
            room.get_by_label('weights').fill(gain)
            said[bn, gain] = spoken(room)
    assert said['on', '0.5'] == said['on', '1.5']
    assert said['off', '0.5'] != said['off', '1.5']
    assert spoken_numbers(said['off', '0.5'])[2] < 1e-12
    assert spoken_numbers(said['off', '1.5'])[2] > 1e6


def test_what_it_suggests_shows_that_the_residual_net_can_explode_more(room):
    room.get_by_label('off', exact=True).check()
    room.get_by_label('blocks n').fill('50')
    room.get_by_label('weights').fill('1.5')
    *_, plain, _, residual, _ = spoken_numbers(spoken(room))
    assert residual > 1000 * plain > 1e16


def test_the_sentence_follows_the_step(room):
    step, said = room.get_by_label('forward, then back'), []
    for number in (0, 10, 27, 40, 54):
        step.fill(str(number))
        said.append(spoken(room))
    for text, place in zip(said, ['the signal in front of block 1', 'the signal behind block 10',
                                  'the gradient at the end', 'the gradient in front of block 15',
                                  'in front of block 1: plain 33,000'], strict=True):
        assert place in text


def test_mouse_keyboard_and_touch(room, visit):
    blocks, step = room.get_by_label('blocks n'), room.get_by_label('forward, then back')
    before = spoken(room)
    box = blocks.bounding_box()
    blocks.click(position={'x': box['width'] * 0.8, 'y': box['height'] / 2})
    assert int(blocks.input_value()) in range(38, 43) and spoken(room) != before
    before = spoken(room)
    blocks.focus()
    visit.page.keyboard.press('Home')
    visit.page.keyboard.press('ArrowRight')
    assert blocks.input_value() == '2' and spoken(room) != before
    texts = []
    step.focus()
    visit.page.keyboard.press('Home')
    for _ in range(5):
        texts.append(step.get_attribute('aria-valuetext'))
        visit.page.keyboard.press('ArrowRight')
    assert texts == ['signal in front of block 1', 'signal behind block 1', 'gradient at the end',
                     'gradient in front of block 2', 'gradient in front of block 1']
    before = spoken(room)
    room.get_by_text('off', exact=True).tap()
    assert spoken(room) != before


def test_plays_there_and_back_and_pauses(room, visit):
    step = room.get_by_label('forward, then back')
    busy = room.locator('.explore-spoken[aria-busy]')  # then nothing is spoken, until it stops
    room.get_by_role('button', name='Play').tap()
    visit.page.wait_for_timeout(300)
    assert busy.count() == 1
    room.get_by_role('button', name='Pause').tap()
    paused = int(step.input_value())
    visit.page.wait_for_timeout(300)
    assert 0 < paused < 54 and int(step.input_value()) == paused
    assert busy.count() == 0
    room.get_by_label('blocks n').fill('4')
    said = spoken(room)
    room.get_by_role('button', name='Play').click()
    assert int(step.input_value()) < 8
    room.get_by_role('button', name='Pause').wait_for(state='detached')
    assert step.input_value() == '8' and spoken(room) == said


def test_a_hand_on_the_slider_stops_the_play(room, visit):
    room.get_by_role('button', name='Play').click()
    room.get_by_label('forward, then back').press('Home')
    assert room.get_by_role('button', name='Play').is_visible()
    assert room.get_by_label('forward, then back').input_value() == '0'


def test_where_motion_is_unwanted_it_jumps_to_the_end(site):
    with site.visit(PAGE, reduced_motion='reduce') as visit:
        room = explorable(visit, 'travel')
        room.get_by_label('forward, then back').press('Home')
        room.get_by_role('button', name='Play').click()
        assert room.get_by_label('forward, then back').input_value() == '54'
        assert room.get_by_role('button', name='Play').is_visible()


def test_says_it_in_chinese(site):
    with site.visit(page_of('02_residual_block', 'zh')) as visit:
        room = explorable(visit, 'travel')
        before = spoken(room)
        assert '第 1 块前面就成了：普通网络 33,000' in before
        room.get_by_text('无', exact=True).click()
        assert '普通网络' in before and spoken(room) != before
