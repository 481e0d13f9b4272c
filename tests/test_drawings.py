"""drawings.py: what is asked for is in the picture."""
import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle
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
    parts = [('stem', '9 parameters', [(['7×7 conv', 'max-pool'], None)]),
             ('stage 1', 'none', [(['a', 'b'], 'identity'), (['c', 'd'], 'projection')]),
             ('head', '', [(['e', 'f'], '')])]
    ax, twin = drawings.canvas(6, 6, columns=2)
    drawings.draw_net(ax, parts)
    assert ''.join(text for text in texts(ax) if len(text) == 1) == 'ab+cd+ef'
    assert '9 parameters' in ' '.join(texts(ax))
    assert len(lines(ax, '-')) == len(lines(ax, ':')) == 1
    assert ax.get_legend_handles_labels()[1] == ['identity', 'projection']
    plain = [(name, note, [(layers, None if shortcut is None else '')
                           for layers, shortcut in blocks]) for name, note, blocks in parts]
    drawings.draw_net(twin, plain, notes=False)
    assert texts(twin) == ['7×7 conv', 'max-pool', *'abcdef']
    assert ax.get_ylim() == twin.get_ylim()  # the twins stand level


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


@pytest.mark.parametrize('name_stages', [False, True])
def test_depths_have_as_many_boxes_as_blocks(name_stages):
    ax = plt.figure().add_subplot()
    drawings.draw_depths(ax, {'ResNet-18': (2, (2, 2, 2, 2)), 'ResNet-50': (3, (3, 4, 6, 3))},
                         name_stages)
    assert len(ax.patches) == (8 + 2) + (16 + 2)
    assert list(ax.get_xticks()) == [18, 50]
    assert ('stage 3' in texts(ax)) == ('stage 4' in texts(ax)) == name_stages


def test_depths_of_nets_with_three_stages():
    ax = plt.figure().add_subplot()
    drawings.draw_depths(ax, {'plain-20': (2, (3, 3, 3))}, name_stages=True)
    assert len(ax.patches) == 9 + 2
    assert texts(ax)[-5:] == ['stem', 'stage 1', 'stage 2', 'stage 3', 'head']


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


def test_work_is_level_and_weights_grow_fourfold():
    drawings.draw_work_and_weights()
    boxes = [patch for patch in plt.gca().patches if isinstance(patch, Rectangle)]
    work = [box.get_width() * box.get_height() for box in boxes if box.get_y() == 0]
    weights = [box.get_width() * box.get_height() for box in boxes if box.get_y() < 0]
    assert work == [6] * (1 + 4 * 2)
    assert weights == pytest.approx([0.25, 1, 4, 16, 64])


def test_identity_copy_has_every_block_of_both_nets_and_the_kernel():
    drawings.draw_identity_copy()
    nets, kernel = plt.gcf().axes
    boxes = [patch for patch in nets.patches if isinstance(patch, Rectangle)]
    assert len(boxes) == (9 + 2) + (27 + 2)  # blocks, stem and head of plain-20 and of plain-56
    assert texts(nets).count('3\ncopied') == texts(nets).count('6\npass on') == 3
    numbers = [int(text) for text in texts(kernel) if text.isdigit()]
    assert numbers[:16] == numbers[16 + 9:]  # what goes out is what came in
    assert numbers[16:16 + 9] == [0, 0, 0, 0, 1, 0, 0, 0, 0]
