"""drawings.py: what is asked for is in the picture."""
import base64
import io
import re
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle
from PIL import Image

import drawings


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close('all')


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def lines(ax, style):
    """The shortcuts of a line style, which have four points."""
    return [line for line in ax.lines
            if line.get_linestyle() == style and len(line.get_xdata()) == 4
            and line.get_color() == drawings.SHORTCUT]


@pytest.mark.parametrize('shortcut, wanted', [
    (None, ['$x$', 'conv', 'BN', 'ReLU']),
    ('as it is', ['$x$', 'conv', 'BN', '+', 'ReLU', 'as it is', '$F(x)$'])])
def test_block(shortcut, wanted):
    ax, = drawings.canvas(3, 4)
    drawings.draw_block(ax, ['conv', 'BN'], shortcut, title='T')
    assert texts(ax) == wanted and ax.get_title() == 'T'


def test_net_has_every_layer_and_every_shortcut():
    ax, = drawings.canvas(6, 6)
    drawings.draw_net(ax, [('stem', '9 parameters', [(['7×7 conv', 'max-pool'], None)]),
                           ('stage 1', 'none', [(['a', 'b'], 'identity'),
                                                (['c', 'd'], '1×1 conv'),
                                                (['e', 'f'], 'identity')]),
                           ('head', '', [(['g', 'h'], None)])], top='image')
    assert ''.join(text for text in texts(ax) if len(text) == 1) == 'ab+cd+ef+gh'
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 11 and boxes[0].get_facecolor() != boxes[1].get_facecolor()
    assert '9 parameters' in ' '.join(texts(ax))
    assert len(lines(ax, '-')) == 3 and '1×1 conv' in texts(ax)
    assert all(texts(ax).count(name) == 1 for name in ('image', 'identity', 'projection'))


def test_paths_are_eight():
    drawings.draw_paths()
    names = texts(plt.gca())
    for number in (1, 2, 3):
        assert names.count(f'$F_{number}$') == 1 + 4  # in the net, and on half of the paths


def test_option_a_has_two_channels_of_zeros():
    drawings.draw_option_a()
    assert texts(plt.gca()).count('0') == 2 * 4


def test_animation_shows_all_layers_at_its_end_and_says_so_in_words():
    curves = {'level': ({'color': 'black'}, np.ones(9)),
              'falling': ({'color': 'red'}, 10. ** -np.arange(9))}
    shown = drawings.animate_backward(curves, 'Title', 'What happens.').data
    assert 'alt="What happens."' in shown
    data = base64.b64decode(re.search('base64,([^"]*)', shown).group(1))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.n_frames >= 5 and len(data) < 300_000


def test_shortcut_has_a_box_for_what_it_meets():
    ax, = drawings.canvas(3, 3)
    drawings.draw_shortcut(ax, '× g', title='T')
    assert {'× g', 'ReLU'} < set(texts(ax)) and texts(ax).count('+') == 1
    assert ax.get_title() == 'T'
    # Blue: the box on the shortcut, and the ReLU behind the addition; not the branch.
    edges = [box.get_edgecolor() for box in ax.patches if isinstance(box, FancyBboxPatch)]
    assert [edge == to_rgba(drawings.SHORTCUT) for edge in edges] == [False, True, True]


@pytest.mark.parametrize('stages', [(), ('stage 1', 'stage 2', 'stage 3', 'stage 4')])
def test_depths_have_as_many_boxes_as_blocks(stages):
    ax = plt.figure().add_subplot()
    drawings.draw_depths(ax, {'ResNet-18': (2, (2, 2, 2, 2)), 'ResNet-50': (3, (3, 4, 6, 3))},
                         stages)
    assert len(ax.patches) == (8 + 2) + (16 + 2)
    assert list(ax.get_xticks()) == [18, 50]
    assert ('stage 3' in texts(ax)) == bool(stages)


def test_module_counts_the_channels_of_its_branches():
    ax, = drawings.canvas(6, 4)
    drawings.draw_module(ax, (('2, a',), ('pool', '3, b')), channels=4)
    assert texts(ax) == ['input: 4 channels', 'a', 'pool', '4', 'b', '2', '3',
                         'concatenated: 5 channels']
    *boxes, two, three = ax.patches
    assert len(boxes) == 3 and three.get_width() == pytest.approx(1.5 * two.get_width())


def test_four_steps_from_inception_to_a_separable_convolution():
    drawings.draw_xception_steps()
    counts = [[sum(text.startswith(kind) for text in texts(ax)) for kind in ('1×1', '3×3')]
              for ax in plt.gcf().axes]
    assert counts == [[3, 3], [1, 3], [1, 6], [1, 6]]


def test_servers_and_ring_have_all_workers_and_one_server():
    drawings.draw_servers_and_ring(5)
    left, right = plt.gcf().axes
    workers = [f'worker {rank}' for rank in range(5)]
    assert sorted(texts(right)) == ['a piece: 1/5\nof a gradient',
                                    *(f'piece {rank}' for rank in range(5)), *workers]
    assert sorted(texts(left)) == ['pull: sum', 'push: whole\ngradient', 'server', *workers]


def test_a_shared_batch_is_cut_in_two_and_its_gradients_are_added():
    drawings.draw_shared_batch()
    ax = plt.gca()
    assert sum(type(patch) is Rectangle for patch in ax.patches) == 8
    counts = Counter(texts(ax))
    assert counts['gradient of its 4'] == 2 and counts['+'] == 1
    assert counts['copy of\nthe net'] == counts['step'] == counts['sum'] == 2  # each steps itself


def test_rounds_frame_what_has_changed():
    first, second = np.ones((2, 2), int), np.array([[1, 2], [1, 1]])
    drawings.draw_rounds({'start': first, 'round 1': second})
    start, after, *others = plt.gcf().axes
    assert [ax.get_title() for ax in (start, after)] == ['start', 'round 1']
    assert [len(ax.patches) for ax in (start, after)] == [0, 1]
    assert texts(after) == ['1', '2', '1', '1'] and not any(ax.axison for ax in others)


def test_streams_have_their_layers_and_how_they_join():
    drawings.draw_streams({'one': ([(['a', '<*b'], '+')], ['ReLU']),
                           'two': ([(['c'], '*concat'), (['d'], '+')], ['~ReLU'])})
    one, two = plt.gcf().axes
    assert sorted(texts(one)) == sorted(['$x$', 'a', 'b', '+', 'ReLU'])
    assert sorted(texts(two)) == sorted(['$x$', 'c', 'concat', 'd', '+', 'no ReLU'])
    assert sum(patch.get_linewidth() > 2 for patch in one.patches) == 1
    a, b, _ = one.patches
    assert b.get_width() < a.get_width() and len(two.patches) == 3  # none for what is missing
    streams = [[line.get_linewidth() for line in ax.lines if line.get_color() == drawings.SHORTCUT]
               for ax in (one, two)]
    assert len(streams[0]) == 1 and streams[1][1] > streams[1][0]  # thicker behind concat


def test_lines_of_attention_are_as_thick_as_its_weights():
    a, v = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [0, 0, 1]]), np.array([[4], [8], [20]])
    drawings.draw_attention(a, q=np.eye(3, 2), k=np.ones((3, 2)), v=v)
    fixed, by_image = np.array(plt.gcf().axes).reshape(2, 3)
    for axes, weights in ((by_image, a), (fixed, [[0.5, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5]])):
        for ax, row in zip(axes, weights, strict=True):
            assert [line.get_linewidth() / 9 for line in ax.lines] == [w for w in row if w]
    assert [text for text in texts(by_image[0]) if text in ('4', '8', '20', '9.0')] == [
        '4', '8', '20', '9.0']
    assert texts(by_image[0]).count('0.25') == 2 and 'query\n(1, 0)' in texts(by_image[0])
    assert '4.0' in texts(fixed[0]) and '10.0' in texts(fixed[1])


def test_gains_start_where_they_say():
    drawings.draw_gains({'ResNet': (70., None, ''), 'B': (72., 'ResNet', '+2'),
                         'C': (75., 'B', '+3')}, 'title')
    ax = plt.gca()
    starts = [text.xyann[0] for text in ax.texts if getattr(text, 'arrow_patch', None)]
    assert starts == [70, 72] and {'+2', '+3', '75.0 %'} <= set(texts(ax))
    assert [line.get_color() for line in ax.lines if line.get_marker() == 'o'] == [
        drawings.SHORTCUT, 'black', 'black']


def test_bn_takes_a_column_of_all_images_and_ln_a_row_of_one():
    drawings.draw_norms()
    bn, ln = ([patch.get_xy() for patch in ax.patches if patch.get_facecolor()[0] < 1]
              for ax in plt.gcf().axes)
    assert len(bn) == 8 and len({x for x, _ in bn}) == 1
    assert len(ln) == 6 and len({y for _, y in ln}) == 1


def test_areas_of_convolutions_are_their_weights():
    drawings.draw_channels({'T': [(1, 256, 64), (3, 64, 64), (1, 64, 256)]})
    ax = plt.gca()
    assert [text for text in texts(ax) if '×' in text] == [
        '1×1: 16,384', '3×3\n36,864', '1×1: 16,384']
    assert [text for text in texts(ax) if text.isdigit()] == ['256', '64', '64', '256']
    areas = []
    for patch in ax.patches:
        if isinstance(patch, Polygon):
            (x0, top), (x1, _), (x2, bottom), (x3, _) = patch.get_xy()[:4]
            areas.append((x1 - x0 + x2 - x3) / 2 * (top - bottom))
    assert np.array(areas) / areas[1] == pytest.approx([16 / 36, 1, 16 / 36])


def test_seen_pixels_have_two_windows_of_stride_two():
    ax = plt.figure().add_subplot()
    drawings.draw_seen(ax, np.ones((8, 8)) > 0, np.eye(8) > 0, 3, title='T')
    dots, = ax.lines
    assert list(dots.get_xdata()) == list(dots.get_ydata()) == list(range(8))
    assert [patch.get_x() + 1.5 for patch in ax.patches] == [2, 4] and ax.get_title() == 'T'


def test_costs_have_a_line_for_each_kind_and_a_bar_for_each_net():
    net = {'multiply-adds': 1, 'milliseconds': 2, 'for parameters': 3, 'for 32 images': 4.5}
    drawings.draw_costs(dict.fromkeys((18, 34, 50, 101), net), {'a': (18, 34), 'b': (50, 101)},
                        free=5)
    left, right = plt.gcf().axes
    assert sorted(texts(left)) == ['101', '18', '34', '50', 'a', 'b', 'dotted: 2 ms\nfor each 10⁹']
    assert len(left.lines) == 3  # the dotted one goes through the origin
    assert len(right.patches) == 3 * 4 and texts(right)[:4] == ['12.0'] * 4
    assert 'your 5 GB' in texts(right) and list(right.lines[-1].get_ydata()) == [5, 5]


def test_twin_blocks_stand_level_and_a_projection_has_a_box():
    plain, residual = drawings.canvas(6, 4, columns=2)
    drawings.draw_block(plain, ['conv', 'BN'], None)
    drawings.draw_block(residual, ['conv', 'BN'], 'x', projection='1×1')
    places = [{text.get_text(): text.get_position() for text in ax.texts}
              for ax in (plain, residual)]
    assert all(places[1][name] == place for name, place in places[0].items() if name)
    assert plain.get_ylim() == residual.get_ylim() and '1×1' in places[1]


def test_a_number_behind_two_windows_sees_eleven_pixels():
    _, ax = plt.subplots()
    drawings.draw_receptive_field(ax)
    rows = [patch.get_y() for patch in ax.patches]
    assert [rows.count(y) for y in sorted(set(rows))] == [11, 3, 1]
    ends = {round(line.get_xdata()[1], 2) for line in ax.lines}
    assert ends >= {-0.45, 10.45}  # the outermost pixels


def test_fields_are_squares_around_one_pixel_and_dashed_where_they_leave_the_picture():
    _, ax = plt.subplots()
    drawings.draw_fields(ax, np.zeros((96, 96)), {'stem': 11, 'stage 2': 99}, 45)
    small, large = ax.patches[1:]  # behind the picture's frame
    assert small.get_bbox().get_points().tolist() == [[39.5, 39.5], [50.5, 50.5]]
    assert large.get_bbox().get_points().tolist() == [[-4.5, -4.5], [94.5, 94.5]]
    assert [square.get_linestyle() for square in (small, large)] == ['-', '--']
    assert texts(ax) == ['stem: 11 px', 'stage 2: 99 px']


def test_every_part_of_a_bill_has_its_name_once_a_bar():
    names = ('stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4', 'head')
    drawings.draw_bills({'above': dict(zip(names, (0.1, 1, 5, 19, 75, 0.1), strict=True)),
                         'below': dict(zip(names, (6, 23, 21, 25, 25, 0.1), strict=True))})
    written = [text.split('\n')[0] for text in texts(plt.gca())]
    assert [written.count(name) for name in names] == [2, 2, 2, 2, 2, 1]


def test_areas_are_multiply_adds_and_weights():
    drawings.draw_work_and_weights({'stem': (100, 45, 64), 'stage': (1600, 11, 128)})
    boxes = [patch for patch in plt.gca().patches if isinstance(patch, Rectangle)]
    work, weights = ([box.get_height() for box in boxes if box.get_y() == foot]
                     for foot in (0.55, -0.95))
    assert work[1] / work[0] == pytest.approx(1600 * 11 ** 2 / (100 * 45 ** 2))
    assert weights[1] / weights[0] == pytest.approx(16)
    outputs = [box for box in boxes if box.get_y() > 1.3]
    assert outputs[1].get_width() / outputs[0].get_width() == pytest.approx(2)
    assert outputs[1].get_height() / outputs[0].get_height() == pytest.approx(11 / 45)


def test_bn_stands_where_it_is_asked_for():
    places = {'none': (), 'two': ('branch',), 'three': ('branch', 'shortcut')}
    drawings.draw_bn_places(places)
    assert [texts(ax).count('BN') for ax in plt.gcf().axes] == [0, 2, 3]
    assert [ax.get_title() for ax in plt.gcf().axes] == list(places)
    # The ways that meet no BN are thick: both, the shortcut, neither.
    assert [sum(line.get_linewidth() == 5 for line in ax.lines)
            for ax in plt.gcf().axes] == [2, 1, 0]


def test_block_shows_the_direct_path():
    """What stands behind the addition, and nothing before it, has the shortcut's colour."""
    ax, = drawings.canvas(3, 4)
    drawings.draw_block(ax, ['conv', 'BN'], '', ['ReLU'], direct=True)
    edges = [box.get_edgecolor() for box in ax.patches if isinstance(box, FancyBboxPatch)]
    assert [edge == to_rgba(drawings.SHORTCUT) for edge in edges] == [False, False, True]


def test_block_paints_the_boxes_that_are_named():
    ax, = drawings.canvas(3, 4)
    drawings.draw_block(ax, ['a', 'conv'], colors={'conv': 'yellow'})
    first, second, *_ = [box.get_facecolor() for box in ax.patches
                         if isinstance(box, FancyBboxPatch)]
    assert first == to_rgba('white') and second == to_rgba('yellow')


def test_depths_of_nets_with_three_stages():
    ax = plt.figure().add_subplot()
    drawings.draw_depths(ax, {'plain-20': (2, (3, 3, 3))}, stages=['stage 1', 'stage 2', 'stage 3'])
    assert len(ax.patches) == 9 + 2
    assert texts(ax)[-5:] == ['stem', 'stage 1', 'stage 2', 'stage 3', 'head']


def test_identity_copy_has_every_block_of_both_nets_and_the_kernel():
    drawings.draw_identity_copy()
    nets, kernel = plt.gcf().axes
    boxes = [patch for patch in nets.patches if isinstance(patch, Rectangle)]
    assert len(boxes) == (9 + 2) + (27 + 2)  # blocks, stem and head of plain-20 and of plain-56
    assert texts(nets).count('3\ncopied') == texts(nets).count('6\ndo nothing') == 3
    numbers = [int(text) for text in texts(kernel) if text.isdigit()]
    assert numbers[:16] == numbers[16 + 9:]  # what goes out is what came in
    assert numbers[16:16 + 9] == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_graph_has_every_operation_and_the_shortcut_beside_them():
    drawings.draw_graph([('Conv', ['x', 'w'], ['a']), ('Relu', ['a'], ['b']),
                         ('Conv', ['x', 'v'], ['c']), ('Add', ['b', 'c'], ['d'])], {})
    ax = plt.gca()
    places = {text.get_text(): text.get_position() for text in ax.texts if text.get_text()}
    assert places['Relu'] == (0, -2) and places['Add'] == (0, -3)
    assert sorted(text.get_position() for text in ax.texts if text.get_text() == 'Conv') == [
        (0, -1), (3.6, -1)]
    assert len(ax.texts) - len(places) == 1 + 6  # the second Conv; six arrows
    assert places['shortcut'][0] > 2


def test_graph_writes_shapes_beside_arrows():
    drawings.draw_graph([('Conv', ['x', 'w'], ['a']), ('Relu', ['a'], ['b'])],
                        {'x': '3 × 8 × 8', 'a': '5 × 4 × 4'})
    places = {text.get_text(): text.get_position() for text in plt.gca().texts}
    assert places['3 × 8 × 8'][1] > -1 > places['5 × 4 × 4'][1] > -2


def test_mistakes_stand_in_the_order_of_what_accuracy_sees():
    right = {'as it is': 0.9, 'bad': 0.5, 'sly': 0.89, 'worse': 0.3}
    drawings.draw_mistakes(right, {'as it is': 7e-7, 'bad': 1, 'sly': 2e-3, 'worse': 1}, 0.4, 1e-4)
    left, other = plt.gcf().axes
    assert [label.get_text() for label in left.get_yticklabels()] == ['as it is', 'sly', 'bad',
                                                                      'worse']
    heights = {text.get_text(): round(text.get_position()[1]) for text in left.texts}
    assert heights['accuracy does not see:'] == 1 and heights['accuracy sees:'] == 3
    assert list(left.get_yticks()) == [0, 2, 4, 5]
    assert {'7 · 10⁻⁷', '0.002', '1'} <= {text.get_text() for text in other.texts}


def test_an_arrow_shows_the_first_difference():
    spoilt, everywhere = np.zeros(10), np.full(10, 2e-3)
    spoilt[[4, 5, 8, 9]] = 0.5
    drawings.draw_first_difference(('flipped', spoilt), ('epsilon', everywhere),
                                   {'stem': 3, 'stage 1': 10}, 1e-4)
    ax, strip = plt.gcf().axes
    words = [text.get_text() for text in ax.texts]
    assert 'flipped: first\nat operation 5' in words and 'shortcut, still whole' in words
    assert [text.get_position()[0] for text in ax.texts if text.get_text() in ('stem', 'stage 1')
            ] == [2, 7]
    assert np.isnan(ax.lines[0].get_ydata()).sum() == 6
    assert list(strip.lines[0].get_xdata()) == [1, 2, 3, 4, 7, 8]  # equal: marks at the foot
    assert {6.2, 8.8} == {round(x, 1) for x in strip.lines[1].get_xdata()}  # the bracket


def test_keras_windows_lie_between_ours_and_their_sums_add_two_places():
    drawings.draw_keras_padding()
    for ax, shift in zip(plt.gcf().axes, (0, 1), strict=True):
        centres = sorted(line.get_xdata()[0] for line in ax.lines if line.get_marker() == 'o')
        assert centres == [pixel + shift for pixel in (0, 2, 4)]
        assert {f'{pixel + shift} + {pixel}' for pixel in (0, 2, 4)} <= set(texts(ax))
        blue = [text.get_text() for text in ax.texts if text.get_color() == drawings.SHORTCUT]
        assert blue[:3] == ['0', '2', '4']
        zeros = [text.get_position()[0] for text in ax.texts if text.get_text() == 'zero']
        assert zeros == ([-1, 6] if shift == 0 else [6])  # Keras adds one zero only, on the right


def test_halving_frames_the_pixels_that_a_stride_keeps():
    line = np.zeros((4, 4))
    line[:, 1] = 8
    drawings.draw_halvings(line, {('every other pixel', 'gone'): line[::2, ::2],
                                  ('mean of 2 × 2', 'paler'): np.array([[4., 0], [4, 0]])})
    ax = plt.gca()
    framed = [patch.get_xy() for patch in ax.patches if getattr(patch, 'get_xy', None)
              and patch.get_linewidth() == 3]
    assert framed == [(0, 1), (2, 1), (0, -1), (2, -1)]
    assert [texts(ax).count(number) for number in ('8', '4')] == [4, 2]
    assert {'a bright line', 'gone', 'paler'} <= set(texts(ax))


def test_maps_are_as_high_as_their_side_and_as_wide_as_their_channels():
    drawings.draw_maps({'stem': (8, 28), 'block 1': (16, 14)})
    ax = plt.gca()
    stem, block = ax.patches
    assert (stem.get_height(), block.get_height()) == (28, 14)
    assert block.get_width() == pytest.approx(2 * stem.get_width())
    assert texts(ax) == ['8 channels', '28 × 28', 'stem', '16', '14 × 14', 'block 1']


def test_sorted_losses_are_grey_up_to_the_share_below_the_mean():
    _, ax = plt.subplots()
    drawings.draw_sorted_losses(ax, np.array([4, 0.1, 0.3, 0.4]))
    grey, = ax.patches
    assert grey.get_xy()[:, 0].max() == 75
    assert list(ax.lines[0].get_ydata()) == [0.1, 0.3, 0.4, 4]
    assert texts(ax) == ['mean loss, 1.20', '75 % of the images\nlie below the mean', 'up to 4.0 ↑']


def test_what_arrives_has_a_picture_an_answer_and_a_range():
    numbers = np.linspace(-2, 2, 300).reshape(3, 10, 10)
    drawings.draw_arriving({'as it is': numbers, 'bright': 100 * numbers},
                           {'as it is': 'cup 0.60', 'bright': 'bowl 1.00'})
    first, second = plt.gcf().axes
    assert second.get_title() == 'bright\nbowl 1.00' and len(first.images) == 1
    assert first.get_xlabel().endswith('−2.0 to 2.0')
    assert second.get_xlabel().endswith('−200 to 200')


def test_transfer_copies_what_is_grey():
    drawings.draw_transfer()
    ax, = plt.gcf().axes
    grey = [box for box in ax.patches if isinstance(box, FancyBboxPatch)
            and box.get_facecolor() == to_rgba('0.88')]
    assert len(grey) == 3 and sum('copied' in text for text in texts(ax)) == 2
    assert [texts(ax).count(f'{count} classes') for count in ('6 old', '4 new')] == [1, 3]
