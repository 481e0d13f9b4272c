"""drawings.py: what is asked for is in the picture."""
import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
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
