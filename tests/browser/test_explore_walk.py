"""The walk through ResNet-18 (notebook 03), against records/explore.json and figure 4."""
import base64
import json

import checks
import pytest
from explorables import explorable, page_of
from served import ROOT

PAGE = page_of('03_resnet18')
RECORD = json.loads((ROOT / 'records' / 'explore.json').read_text('utf-8'))['walk']
CLASSES = ('t-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag',
           'ankle boot')
# Of figure 4; the per cent are figure 3's, with a no-break space on the page.
PARTS = {'stem': ('64 × 22 × 22', '9,472', '0.085 %', '19,051,200', '6.2 %'),
         'stage 1': ('64 × 22 × 22', '148,224', '1.3 %', '71,368,704', '23 %'),
         'stage 2': ('128 × 11 × 11', '525,952', '4.7 %', '63,438,848', '21 %'),
         'stage 3': ('256 × 6 × 6', '2,100,480', '19 %', '75,497,472', '25 %'),
         'stage 4': ('512 × 3 × 3', '8,395,264', '75 %', '75,497,472', '25 %'),
         'head': ('10', '5,130', '0.046 %', '5,120', '0.0017 %')}
STAGES = list(PARTS)[:-1]
# Behind the stem and each stage: the maps' side; field and step, as notebook 03 prints them.
SIDES, FIELDS, STEPS = (22, 22, 11, 6, 3), (11, 43, 99, 211, 435), (4, 4, 8, 16, 32)
READ = 7 + (96 - 7) // 2 * 2  # rows that the stem's windows of 7, stride 2, reach

GREYS = '''canvas => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return [...data.filter((_, i) => i % 4 === 0)];
}'''


def shown(room, picture):
    """Chooses a picture, counted from 0."""
    room.locator('.walk-choose').nth(picture).click()


def button(room, part):
    return room.locator('.walk-net').get_by_role('button', name=part)


def seen_by(stage, number):
    """The first and the last pixel that the number at this place behind a stage sees.

    The stem's first number sees the pixels 0 to 10. Padding leaves the first number of every
    stage where that is: 5 is the middle of what it sees.
    """
    middle = 5 + STEPS[stage] * number
    return middle - FIELDS[stage] // 2, middle + FIELDS[stage] // 2


def enlarged(picture):
    """28 × 28 greys as 96 × 96, each between its four neighbours; browsers round a bit."""
    weights = []
    for pixel in range(96):
        place = min(max((pixel + 0.5) * 28 / 96 - 0.5, 0), 27)
        low = min(int(place), 26)
        weights.append((low, place - low))
    return [(1 - down) * ((1 - right) * picture[28 * row + column]
                          + right * picture[28 * row + column + 1])
            + down * ((1 - right) * picture[28 * row + column + 28]
                      + right * picture[28 * row + column + 29])
            for row, down in weights for column, right in weights]


@pytest.mark.parametrize('part', PARTS)
def test_says_the_numbers_of_figure_4(room, part):
    button(room, part).click()
    shape, parameters, parameter_share, work, work_share = PARTS[part]
    axes = 'one number a class' if part == 'head' else 'channels × side × side'
    facts = room.locator('.walk-facts dd').all_inner_texts()
    assert [fact.replace('\u00a0', ' ') for fact in facts[:6]] == [
        shape, axes, parameters, f'{parameter_share} of the net', work, f'{work_share} of the net']
    lines = [line for line in button(room, part).inner_text().split('\n') if line.strip()]
    assert ' '.join(lines[1:]) == shape


@pytest.mark.parametrize('stage', range(5))
def test_frames_what_the_middle_number_sees(room, stage):
    side, field = SIDES[stage], FIELDS[stage]
    first, last = seen_by(stage, side // 2)
    edges = [seen_by(stage, 0), seen_by(stage, side - 1)]
    button(room, STAGES[stage]).click()
    assert room.locator('.walk-facts dd').nth(6).inner_text() == f'{field} × {field}'
    frame = room.locator('.walk-picture .frame')
    low, high = max(first, 0), min(last + 1, READ)
    assert [float(frame.get_attribute(name)) for name in ('x', 'y', 'width', 'height')] == [
        low, low, high - low, high - low]
    whole = [low <= 0 and high >= READ - 1 for low, high in (*edges, (first, last))]
    sentence = ('Every number sees the whole picture.' if all(whole) else
                'The number in the middle sees the whole picture, one at the edge does not.'
                if whole[-1] else 'The number in the middle sees a part of the picture.')
    assert room.get_by_role('status').inner_text().endswith(sentence)
    assert ('reaches the last row' in room.locator('.walk-views').inner_text()) == whole[-1]
    outer = room.locator('.walk-maps canvas').first.bounding_box()
    inner = room.locator('.walk-maps .frame').first.bounding_box()
    assert inner['width'] == pytest.approx(outer['width'] / side + 4, abs=0.1)  # and its border
    place = (inner['x'] + 2 - outer['x']) / outer['width'] * side
    assert place == pytest.approx(side // 2, abs=0.1)


def test_what_a_number_sees(visit, room):
    """Of 224 pixels, too: exercise 2 of notebook 03."""
    found = visit.page.evaluate("""async (asked) => {
        const {seen, WINDOWS} = await import(new URL('../_static/explore/walk.js', location));
        return asked.map(([stage, number]) => seen(WINDOWS.slice(0, stage + 1).flat(), number));
    }""", [[stage, number] for stage in range(5) for number in (0, 1, 13)])
    assert found == [dict(zip(('from', 'to'), seen_by(stage, number), strict=True))
                     for stage in range(5) for number in (0, 1, 13)]
    assert found[8] == {'from': 60, 'to': 158}  # stage 2, number 13


def test_the_frame_lies_on_the_picture(site):
    for width in (390, 1280):
        with site.visit(PAGE, viewport={'width': width, 'height': 900}) as visit:
            picture = explorable(visit, 'walk').locator('.walk-picture')
            assert picture.locator('svg').bounding_box() == picture.locator('canvas').bounding_box()


def test_shows_the_recorded_maps(room):
    for name, maps in RECORD['maps'].items():
        _, channels, side, _ = maps['shape']
        size, values = side ** 2, list(base64.b64decode(maps['base64']))
        button(room, name).click()
        for picture in (0, 7, 3):
            shown(room, picture)
            for channel, canvas in enumerate(room.locator('.walk-maps canvas').all()):
                begin = (picture * channels + channel) * size
                assert canvas.evaluate(GREYS) == values[begin:begin + size]
        low, high = (float(f'{maps[end]:.2g}') for end in ('low', 'high'))
        assert f'black is {low:g}, white {high:g}.'.replace('-', '−') in room.inner_text()


def test_shows_the_recorded_pictures(room):
    values = list(base64.b64decode(RECORD['pictures']))
    for picture, label in enumerate(RECORD['labels']):
        choose = room.get_by_role('button', name=f'picture {picture + 1}: {CLASSES[label]}')
        assert choose.locator('canvas').evaluate(GREYS) == values[784 * picture:784 * (picture + 1)]
    assert room.locator('.walk-picture canvas').evaluate(GREYS) == pytest.approx(
        enlarged(values[:784]), abs=12)


def test_the_head_says_the_recorded_probabilities(room):
    button(room, 'head').click()
    for picture, label in enumerate(RECORD['labels']):
        shown(room, picture)
        probabilities = RECORD['probabilities'][picture]
        surest = max(probabilities)
        said = probabilities.index(surest)
        rows = room.locator('.walk-bars tr').all()
        for row, name, value in zip(rows, CLASSES, probabilities, strict=True):
            mark = ' (label)' if name == CLASSES[label] else ''
            assert row.locator('th').inner_text() == name + mark
            assert row.locator('td').last.inner_text() == f'{100 * value:.1f}\u00a0%'
            bar, cell = row.locator('span').bounding_box(), row.locator('td').first.bounding_box()
            assert bar['width'] == pytest.approx(value * cell['width'], abs=9)
        spoken = room.get_by_role('status').inner_text()
        assert f'The net says {CLASSES[said]}, {100 * surest:.1f}\u00a0%' in spoken
        assert spoken.endswith('right.' if said == label else 'wrong.')


def test_the_net_is_sure_and_wrong_of_the_last_picture():
    """What the page suggests to look at."""
    probabilities, label = RECORD['probabilities'][-1], RECORD['labels'][-1]
    assert max(probabilities) > 0.9 > 0.1 > probabilities[label]


def test_compares_with_notebook_04(room):
    notebook = (ROOT / 'notebooks' / '04_fashion_mnist.ipynb').read_text('utf-8')
    assert 'after its first epoch: test accuracy 0.82' in notebook
    said = room.inner_text().replace('\u00a0', ' ')
    assert f'{100 * RECORD["test_acc"]:.0f} % of the test images' in said
    assert '82 % after its first epoch of two' in said


def test_walks_on_and_back_by_keyboard(visit, room):
    status, on = room.get_by_role('status'), room.get_by_role('button', name='next →')
    on.focus()
    said = []
    for part in (*STAGES[1:], 'head', 'input', 'stem'):  # from the stem once around
        visit.page.keyboard.press('Enter')
        assert button(room, part).get_attribute('aria-pressed') == 'true'
        assert room.locator('.walk-net [aria-pressed=true]').count() == 1
        assert f', {part}: ' in status.inner_text()
        said.append(status.inner_text())
    assert len(set(said)) == 7
    visit.page.keyboard.press('Shift+Tab')
    visit.page.keyboard.press('Space')
    assert status.inner_text() == said[-2]


def test_by_touch(room):
    status = room.get_by_role('status')
    assert status.inner_text().startswith('Ankle boot, stem: ')
    trouser = room.get_by_role('button', name='picture 3: trouser')
    trouser.tap()
    assert status.inner_text().startswith('Trouser, stem: ')
    assert trouser.get_attribute('aria-pressed') == 'true'
    assert room.locator('.walk-choose[aria-pressed=true]').count() == 1
    button(room, 'stage 4').tap()
    assert status.inner_text().startswith('Trouser, stage 4: ')


@pytest.mark.parametrize('language', ['en', 'zh'])
@pytest.mark.parametrize('width', [390, 1280])
def test_nothing_below_moves(site, width, language):
    with site.visit(page_of('03_resnet18', language),
                    viewport={'width': width, 'height': 900}) as visit:
        room = explorable(visit, 'walk')
        shown(room, 7)
        places = set()
        for part in room.locator('.walk-net button').all():
            part.click()
            top = room.bounding_box()['y']
            places.add(tuple(each.bounding_box()['y'] - top for each in (
                room.get_by_role('status'), room.locator('.explore-key').last)))
        assert len(places) == 1


@pytest.mark.parametrize('language', ['en', 'zh'])
@pytest.mark.parametrize('width', [390, 1280])
def test_boxes_hold_their_words_and_the_column_its_arrows(site, width, language):
    with site.visit(page_of('03_resnet18', language),
                    viewport={'width': width, 'height': 900}) as visit:
        net = explorable(visit, 'walk').locator('.walk-net')
        assert net.evaluate('''net => {
            const inside = (inner, outer) => inner.left >= outer.left && inner.right <= outer.right;
            const box = (node) => node.getBoundingClientRect(), range = document.createRange();
            const words = [...net.querySelectorAll('strong, span')].filter(word => {
                range.selectNodeContents(word);
                return !inside(box(range), box(word.closest('button')));
            });
            const arrows = [...net.children].filter(item => {
                const {content, left} = getComputedStyle(item, '::before');
                return content !== 'none' && box(item).left + parseFloat(left) < box(net).left;
            });
            return words.length + arrows.length;
        }''') == 0


def test_asks_on_top_and_does_not_answer(room):
    asked = room.locator('.explore-try')
    assert asked.evaluate('e => e === e.parentNode.firstElementChild')
    assert asked.inner_text().startswith('Try: ') and 'wrong' not in asked.inner_text()


def test_in_chinese(site):
    with site.visit(page_of('03_resnet18', 'zh')) as visit:
        room = explorable(visit, 'walk')
        button(room, '输出部分').click()
        shown(room, 7)
        percent = 100 * max(RECORD['probabilities'][7])
        spoken = room.get_by_role('status').inner_text()
        assert spoken.endswith(f'网络的回答是凉鞋，概率 {percent:.1f}%：错了。')
        assert checks.check_quiet(visit) == []
