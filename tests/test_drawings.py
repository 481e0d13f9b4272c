"""drawings.py: what is asked for is in the picture."""
import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch, Rectangle
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
                                                (['c', 'd'], 'projection'),
                                                (['e', 'f'], 'identity')]),
                           ('head', '', [(['g', 'h'], None)])],
                      {'identity': 'as it is', 'projection': 'halved'}, ('ours', 'plain'))
    assert ''.join(text for text in texts(ax) if len(text) == 1) == 'ab+cd+ef+gh'
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert [box.get_width() for box in boxes] == 10 * [2.5, 0.9]  # the net's and its twin's
    assert {box.get_facecolor() for box in boxes[:2]} != {box.get_facecolor() for box in boxes[2:4]}
    assert texts(ax)[:2] == ['ours', 'plain']
    assert '9 parameters' in ' '.join(texts(ax))
    assert (len(lines(ax, '-')), len(lines(ax, ':'))) == (2, 1)
    assert texts(ax).count('as it is') == texts(ax).count('halved') == 1


def test_a_number_behind_two_windows_sees_eleven_pixels():
    _, ax = plt.subplots()
    drawings.draw_receptive_field(ax)
    rows = [patch.get_y() for patch in ax.patches]
    assert [rows.count(y) for y in sorted(set(rows))] == [11, 3, 1]
    assert {line.get_xdata()[1] for line in ax.lines} >= {-0.45, 10.45}  # the outermost pixels


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
    shown = drawings.animate_backward(curves, 'What happens.').data
    assert 'alt="What happens."' in shown
    data = base64.b64decode(re.search('base64,([^"]*)', shown).group(1))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.n_frames >= 5 and len(data) < 300_000


def test_shortcut_has_a_box_for_what_it_meets():
    ax, = drawings.canvas(3, 3)
    drawings.draw_shortcut(ax, '× g', title='T')
    assert '× g' in texts(ax) and texts(ax).count('+') == 1 and ax.get_title() == 'T'


def test_depths_have_as_many_boxes_as_blocks():
    drawings.draw_depths({'ResNet-18': (2, (2, 2, 2, 2)), 'ResNet-50': (3, (3, 4, 6, 3))})
    ax = plt.gca()
    assert len(ax.patches) == (8 + 2) + (16 + 2)
    assert list(ax.get_xticks()) == [18, 50]


def test_channels_have_a_convolution_for_each_layer():
    ax, = drawings.canvas(3, 4)
    drawings.draw_channels(ax, [(1, 256, 64), (3, 64, 64), (1, 64, 256)])
    assert [text for text in texts(ax) if 'conv' in text] == ['1×1\nconv', '3×3\nconv', '1×1\nconv']
    assert [text for text in texts(ax) if text.isdigit()] == ['256', '64', '64', '256']


@pytest.mark.parametrize('behind, shortcuts', [((), 0), (('c', '+', 'ReLU'), 1)])
def test_module_has_its_branches_and_what_follows(behind, shortcuts):
    ax, = drawings.canvas(6, 5)
    drawings.draw_module(ax, (('a',), ('b', 'd')), behind)
    assert texts(ax) == ['$x$', 'a', 'b', 'd', 'concat', *behind]
    assert sum(line.get_color() == drawings.SHORTCUT for line in ax.lines) == shortcuts


def test_four_steps_from_inception_to_a_separable_convolution():
    drawings.draw_xception_steps()
    counts = [[sum(text.startswith(kind) for text in texts(ax)) for kind in ('1×1', '3×3')]
              for ax in plt.gcf().axes]
    assert counts == [[3, 3], [1, 3], [1, 6], [1, 6]]


def test_servers_and_ring_have_all_workers_and_one_server():
    drawings.draw_servers_and_ring(5)
    left, right = plt.gcf().axes
    assert texts(right) == [f'worker {rank}' for rank in range(5)]
    assert sorted(texts(left)) == ['server', *texts(right)]


def test_rounds_frame_what_has_changed():
    first, second = np.ones((2, 2), int), np.array([[1, 2], [1, 1]])
    drawings.draw_rounds({'start': first, 'round 1': second})
    start, after, *others = plt.gcf().axes
    assert [ax.get_title() for ax in (start, after)] == ['start', 'round 1']
    assert [len(ax.patches) for ax in (start, after)] == [0, 1]
    assert texts(after) == ['1', '2', '1', '1'] and not any(ax.axison for ax in others)


def test_areas_are_multiply_adds_and_weights():
    drawings.draw_work_and_weights({'stem': (100, 45, '3'), 'stage': (1600, 11, '64')})
    boxes = [patch for patch in plt.gca().patches if isinstance(patch, Rectangle)]
    work, weights = ([box.get_width() * box.get_height() for box in boxes
                      if (box.get_y() == 0) == above] for above in (True, False))
    assert work[1] / work[0] == pytest.approx(1600 * 11 ** 2 / (100 * 45 ** 2))
    assert weights[1] / weights[0] == pytest.approx(16)


def test_identity_copy_has_every_block_of_both_nets():
    drawings.draw_identity_copy()
    boxes = [patch for patch in plt.gca().patches if isinstance(patch, Rectangle)]
    assert len(boxes) == (9 + 2) + (27 + 2)  # blocks, stem and head of plain-20 and of plain-56
    assert texts(plt.gca()).count('3\ncopied') == texts(plt.gca()).count('6\npass on') == 3
