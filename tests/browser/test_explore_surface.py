"""The loss surface (notebook 07), against records/explore.json and a projection by matrices."""
import json
import math
import re
from decimal import ROUND_HALF_UP, Decimal

import checks
import pytest
from explorables import explorable, page_of
from served import ROOT

PAGE = page_of('07_inside_a_resnet')
NETS = ('ResNet-56', 'plain-56')
RECORD = json.loads((ROOT / 'records' / 'explore.json').read_text('utf-8'))['surfaces']
STEPS, MIDDLE = RECORD['steps'], len(RECORD['steps']) // 2

# A copy's points, because a browser grumbles if a canvas on the page is read again and again.
POINTS = '''const pointsOf = (canvas) => {
    const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
    context.drawImage(canvas, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
};'''


def number(value):
    """With two digits, half of the last one rounded up: 1.255 was 1.2554… and is 1.26."""
    digits = Decimal(str(value)).quantize(Decimal('0.01'), ROUND_HALF_UP)
    return str(digits).replace('-', '−')


def sentence(row):
    """What is spoken of the cut along a row of the record."""
    ranges = (f'{net} lowest {number(min(RECORD[net][row]))}, '
              f'highest {number(max(RECORD[net][row]))}' for net in NETS)
    centres = (number(RECORD[net][MIDDLE][MIDDLE]) for net in NETS)
    return (f"Cut at β = {number(STEPS[row])}: {'; '.join(ranges)}. "
            f"In the centre, α\u00a0=\u00a0β\u00a0=\u00a00: {' and '.join(centres)}.")


def points(line):
    """[α, loss] of a drawn line, read off the picture."""
    found = re.findall(r'[ML]([\d.]+) ([\d.]+)', line.get_attribute('d'))
    return [((float(x) - 230) / 158, (208 - float(y)) / 196 * 16) for x, y in found]


def view(room):
    return [int(room.get_by_label(name, exact=True).input_value()) for name in ('turn', 'tilt')]


def canvas_of(room, net):
    return room.get_by_role('img', name=f'The loss around {net}')


def drawing(room, net):
    """A number to tell what is on a net's canvas from anything else, once it has been drawn."""
    room.page.evaluate('() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))')
    return canvas_of(room, net).evaluate(f"""canvas => {{
        {POINTS}
        return pointsOf(canvas).reduce((sum, value) => (31 * sum + value) % 1000003, 0);
    }}""")


def test_says_and_draws_every_recorded_cut(room):
    beta, picture = room.get_by_label('cut through both at β'), room.get_by_role('img').last
    for row in range(len(STEPS)):
        beta.fill(str(row))
        assert room.locator('.explore-spoken').inner_text() == sentence(row)
        for net, look in zip(NETS, ('residual', 'plain'), strict=True):
            drawn = points(picture.locator(f'.line.{look}'))
            assert [alpha for alpha, _ in drawn] == pytest.approx(STEPS, abs=0.001)
            assert [loss for _, loss in drawn] == pytest.approx(RECORD[net][row], abs=0.01)


def test_says_where_guessing_is(room):
    level = room.get_by_role('img').last.locator('.line.marked')
    loss = (208 - float(level.get_attribute('y1'))) / 196 * 16
    assert loss == pytest.approx(math.log(10), abs=0.01)
    assert 'guessing, ln 10 = 2.3' in room.inner_text()


def test_the_axis_has_room_for_every_loss():
    assert max(loss for net in NETS for row in RECORD[net] for loss in row) < 16


def test_the_centres_are_the_notebooks(room):
    assert [title.inner_text() for title in room.locator('.surface-title').all()] == [
        'ResNet-56: 0.18 in the centre', 'plain-56: 1.26 in the centre']


def asked(visit, expression, names):
    """The value of an expression with the explorable's module."""
    return visit.page.evaluate(f"""async ({{{', '.join(names)}}}) => {{
        const module = await import(new URL('../_static/explore/surface.js', location));
        return {expression};
    }}""", names)


def test_what_the_page_says_of_dents():
    """Points that are lower than all eight neighbours: one by ResNet-56, several by plain-56."""
    inner, around = range(1, 30), [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    dents = {net: [(row, column) for row in inner for column in inner
                   if all(values[row][column] < values[row + i][column + j] for i, j in around)]
             for net, values in RECORD.items() if net in NETS}
    assert dents['ResNet-56'] == [(MIDDLE, MIDDLE)]
    assert (MIDDLE, MIDDLE) in dents['plain-56'] and len(dents['plain-56']) > 1


def rotated(point, turn, tilt):
    """A point turned around the upright axis, then towards who looks: right, away, up."""
    (s, c), (u, v) = ((math.sin(math.radians(a)), math.cos(math.radians(a))) for a in (turn, tilt))
    x, y, z = point
    x, y = c * x - s * y, s * x + c * y
    return x, v * y - u * z, u * y + v * z


@pytest.mark.parametrize(('turn', 'tilt'), [(0, 90), (-30, 40), (125, 10), (180, 64)])
def test_projects_as_a_rotation_does(visit, room, turn, tilt):
    corners = [[x, y, z] for x in (-1, 0.4) for y in (-1, 1) for z in (-0.7, 1)]
    found = asked(visit, 'all.map((point) => module.project(point, view))',
                  {'all': corners, 'view': {'turn': turn, 'tilt': tilt}})
    for corner, (right, up) in zip(corners, found, strict=True):
        x, _, z = rotated(corner, turn, tilt)
        assert (right, up) == pytest.approx((x, z))


@pytest.mark.parametrize('turn', [0, -30, 125, 180])
def test_the_farthest_cell_is_drawn_first(visit, room, turn):
    cells = asked(visit, 'module.backToFront(31, turn)', {'turn': turn})
    assert sorted(cells) == [[row, column] for row in range(30) for column in range(30)]
    away = [rotated((column, row, 0), turn, 0)[1] for row, column in cells]
    assert all(one > other - 1e-9 for one, other in zip(away, away[1:], strict=False))


def colours_at(room, net, x, z):
    """The colours of 3 × 3 points around what is x to the right and z up."""
    return canvas_of(room, net).evaluate(f"""(canvas, [x, z]) => {{
        {POINTS}
        const {{width, height}} = canvas, unit = Math.min(width / 3.4, height / 3.3);
        const right = Math.round(width / 2 + unit * x), down = Math.round(height / 2 - unit * z);
        const points = pointsOf(canvas), places = [-1, 0, 1];
        return places.flatMap(i => places.map(j => {{
            const at = 4 * ((down + i) * width + right + j);
            return [...points.slice(at, at + 3)];
        }}));
    }}""", [x, z])


def cut_shows(room, net):
    """Whether the cut for β = 0 is to be seen, at one of its points, where that belongs."""
    turn, tilt = view(room)
    column, colours = 13, []
    loss = RECORD[net][MIDDLE][column]
    x, _, z = rotated((STEPS[column], 0, 1.6 * (loss / 16 - 0.5)), turn, tilt)
    for row in (MIDDLE, 30):
        room.get_by_label('cut through both at β').fill(str(row))
        drawing(room, net)
        colours.append(colours_at(room, net, x, z)[4])
    # What is hidden shines through the seams of the patches a little.
    return max(abs(one - other) for one, other in zip(*colours, strict=True)) > 60


def test_what_is_in_front_hides_what_is_behind(room):
    """From above one sees both cuts; from the side a wall of the bowl is in front of one."""
    tilt = room.get_by_label('tilt', exact=True)
    tilt.press('End')
    assert [cut_shows(room, net) for net in NETS] == [True, True]
    tilt.fill('20')
    assert [cut_shows(room, net) for net in NETS] == [False, True]


def test_from_above_one_sees_the_contours_of_figure_10(room):
    notebook = (ROOT / 'notebooks' / '07_inside_a_resnet.ipynb').read_text('utf-8')
    levels = [float(level) for level in re.search(r'levels = \[(.*?)\]', notebook)[1].split(', ')]
    levels.remove(2.3)  # in a colour of its own
    assert f'thin contours: {", ".join(f"{each:g}" for each in levels)}' in room.inner_text()
    room.get_by_label('turn', exact=True).fill('0')
    room.get_by_label('tilt', exact=True).fill('90')
    room.get_by_label('cut through both at β').press('Home')
    drawing(room, 'ResNet-56')
    losses = RECORD['ResNet-56'][MIDDLE]
    for level in levels[:-2]:  # along β = 0 the loss stays below 8
        column = next(i for i in range(MIDDLE, 30) if losses[i + 1] > level)
        part = (level - losses[column]) / (losses[column + 1] - losses[column])
        alpha = STEPS[column] + part * (STEPS[column + 1] - STEPS[column])
        assert min(max(colour) for colour in colours_at(room, 'ResNet-56', alpha, 0)) < 90, level


def test_what_the_page_asks_has_an_answer():
    """Cuts along which plain-56 is lower everywhere: far from the centre, on both sides."""
    lower = [all(plain < residual for plain, residual in zip(*rows, strict=True))
             for rows in zip(RECORD['plain-56'], RECORD['ResNet-56'], strict=True)]
    assert [STEPS[row] for row, so in enumerate(lower) if not so] == STEPS[9:21]


def test_asks_on_top(room):
    asked = room.locator('.explore-try')
    assert asked.evaluate('e => e === e.parentNode.firstElementChild')
    assert asked.inner_text().startswith('Try: ')


def test_letters_are_of_one_size(site):
    """Those of the cut and those of the surfaces, nearly."""
    for width, letters in ((390, 12), (1920, 14)):
        with site.visit(PAGE, viewport={'width': width, 'height': 900}) as visit:
            plot = explorable(visit, 'surface').locator('.explore-plot')
            assert 15 * plot.bounding_box()['width'] / 400 == pytest.approx(letters, abs=1)


def test_by_keyboard(visit, room):
    before = [drawing(room, net) for net in NETS]
    room.get_by_label('turn', exact=True).press('ArrowRight')
    room.get_by_label('tilt', exact=True).press('End')
    assert view(room) == [-28, 90]
    after = [drawing(room, net) for net in NETS]
    assert all(one != other for one, other in zip(before, after, strict=True))
    room.get_by_label('cut through both at β').press('Home')
    assert room.locator('.explore-spoken').inner_text() == sentence(0)
    assert drawing(room, 'plain-56') != after[1]
    room.get_by_role('radio', name='both').focus()
    visit.page.keyboard.press('ArrowDown')
    assert canvas_of(room, 'ResNet-56').is_visible()
    assert not canvas_of(room, 'plain-56').is_visible()


def test_a_mouse_drags_it(visit, room):
    picture = canvas_of(room, 'plain-56')
    picture.evaluate("e => e.scrollIntoView({block: 'center'})")
    box = picture.bounding_box()
    x, y = box['x'] + box['width'] / 2, box['y'] + box['height'] / 2
    before = drawing(room, 'ResNet-56')
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x + 60, y + 20)
    visit.page.mouse.up()
    assert view(room) == [0, 50]
    assert drawing(room, 'ResNet-56') != before  # both are turned
    visit.page.mouse.move(x, y)
    assert view(room) == [0, 50]  # nothing is held any more


def swipe(visit, x, y, right, down):
    """A finger put down at (x, y), moved in ten steps, and lifted."""
    session = visit.page.context.new_cdp_session(visit.page)
    for i in range(11):
        session.send('Input.dispatchTouchEvent', {
            'type': 'touchMove' if i else 'touchStart',
            'touchPoints': [{'x': x + right * i / 10, 'y': y + down * i / 10}]})
    session.send('Input.dispatchTouchEvent', {'type': 'touchEnd', 'touchPoints': []})
    visit.page.wait_for_timeout(300)


def test_a_finger_turns_it_sideways_and_scrolls_the_page_downwards(site):
    with site.visit(PAGE, has_touch=True, viewport={'width': 390, 'height': 844}) as visit:
        room = explorable(visit, 'surface')
        picture = canvas_of(room, 'ResNet-56')
        picture.evaluate("e => e.scrollIntoView({block: 'center'})")
        box = picture.bounding_box()
        x, y = box['x'] + 40, box['y'] + 60
        swipe(visit, x, y, 80, 0)
        turned, _ = view(room)
        assert 0 <= turned <= 10  # 40 degrees from −30, less what tells a swipe from a tap
        begin = visit.page.evaluate('scrollY')
        swipe(visit, x, y, 0, -100)
        assert visit.page.evaluate('scrollY') > begin + 50
        assert view(room)[0] == turned


def test_by_touch(room):
    room.get_by_role('radio', name='plain-56').tap()
    assert not canvas_of(room, 'ResNet-56').is_visible()
    beta = room.get_by_label('cut through both at β')
    beta.tap(position={'x': 3, 'y': 16})
    assert room.locator('.explore-spoken').inner_text() == sentence(0)


def test_in_chinese(site):
    with site.visit(page_of('07_inside_a_resnet', 'zh')) as visit:
        room = explorable(visit, 'surface')
        low, high = (number(edge(RECORD['plain-56'][MIDDLE])) for edge in (min, max))
        spoken = room.locator('.explore-spoken').inner_text()
        assert f'plain-56 最低 {low}，最高 {high}' in spoken
        assert checks.check_quiet(visit) == []
