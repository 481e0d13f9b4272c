"""Drawings of blocks and nets, for the notebooks; matplotlib only.

They are narrow and their letters large, so that they can be read on a telephone.
"""
import base64
import tempfile
from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle

# Plain and residual nets look the same throughout the series, in greyscale too (utils.PLAIN,
# utils.RESIDUAL).
SHORTCUT = '#0072b2'
# A box with one of these in its name has some.
WEIGHTS = 'conv', '3×3', 'dense', 'F_', 'attention', 'Inception'
# What a convolution does: both jobs, mix channels, or look at neighbours within each channel.
KINDS = {'ordinary 3×3': '0.68', '1×1': '#f0e442', 'depthwise 3×3': '#0b6e4f'}
# Ways to learn new classes, and the net that they begin with (notebook 10).
WAYS = {'frozen': '#aa4499', 'old net': '0.35', 'fine-tuned': '#00795a', 'from scratch': 'black'}
# Behind words: hides the line or the picture that they stand on.
ON_WHITE = {'facecolor': 'white', 'edgecolor': 'none', 'pad': 1}
# The digits of an exponent.
RAISED = str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹')
ARROW = {'arrowstyle': '->', 'color': 'black', 'linewidth': 1.2, 'shrinkA': 0, 'shrinkB': 0}


def canvas(width, height, columns=1, rows=1):
    """A figure of empty axes; width and height in inches. Returns the axes, a list, row by row."""
    _, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for ax in axes.flat:
        ax.axis('off')
    return list(axes.flat)


def box(ax, x, y, text, width=2., height=0.62, size=10, color=None, **edge):
    """A box with rounded corners around (x, y), by itself grey if there are weights in it."""
    white = not any(name in text for name in WEIGHTS) or 'pool' in text
    ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, zorder=3,
                                boxstyle='round,pad=0,rounding_size=0.12',
                                facecolor=color or ('white' if white else '0.88'),
                                **{'edgecolor': 'black', 'linewidth': 1, **edge}))
    ax.text(x, y, text, ha='center', va='center', fontsize=size, zorder=4,
            color='white' if color == KINDS['depthwise 3×3'] else 'black')


def arrow(ax, start, end, **style):
    ax.annotate('', end, start, arrowprops={**ARROW, **style}, zorder=2)


def plus(ax, x, y, circle=15, size=14):
    """The addition: a circle with a plus."""
    ax.plot([x], [y], marker='o', markersize=circle, markerfacecolor='white',
            markeredgecolor='black', zorder=3)
    ax.text(x, y, '+', ha='center', va='center_baseline', fontsize=size, zorder=4)


def bracket(ax, x, low, high, text):
    """A square bracket to the left of what stands between `low` and `high`, with its name."""
    ax.plot([x + 0.15, x, x, x + 0.15], [low, low, high, high], color='black', linewidth=1)
    ax.text(x - 0.15, (low + high) / 2, text, ha='right', va='center', fontsize=12)


def draw_block(ax, layers, shortcut='identity', after=('ReLU',), title='', projection='',
               direct=False, colors=None):
    """Draw a residual block on `ax` from top to bottom: boxes, an addition, and F in a bracket.

    layers: the names on the residual branch, after: those behind the addition. shortcut: what
    stands beside its line, None for a plain block, which has neither line nor addition; their
    places stay free, so that twins stand level. projection: what stands in a box on the line.
    direct: what is not on the branch, so on the way from block to block, has the line's colour.
    colors: {name: colour} of boxes that are not to have their usual one.
    """
    names = [*layers, '+', *after]
    line = {'color': SHORTCUT, 'linewidth': 2.2}
    ax.text(0, 0.62, '$x$', ha='center', va='center', fontsize=13)
    above = 0.4
    for row, name in enumerate(names, start=1):
        if name == '+' and shortcut is None:
            continue
        on_line = direct and row > len(layers) + 1
        arrow(ax, (0, above), (0, -row + (0.26 if name == '+' else 0.31)),
              **(line if on_line else {}))
        above = -row - (0.26 if name == '+' else 0.31)
        if name == '+':
            plus(ax, 0, -row)
        else:
            edge = {'edgecolor': SHORTCUT, 'linewidth': 2.2} if on_line else {}
            box(ax, 0, -row, name, color=(colors or {}).get(name), **edge)
    arrow(ax, (0, above), (0, -len(names) - 0.8), **(line if direct else {}))
    if shortcut is not None:
        end = len(layers) + 1
        right = 2.2 if projection else 1.5
        if direct:
            ax.plot([0, 0], [0.4, 0.05], **line)
        ax.plot([0, right, right], [0.05, 0.05, -end], **line)
        arrow(ax, (right, -end), (0.24, -end), **line)
        ax.text(right + 0.12, -end / (4 if projection else 2), shortcut, color=SHORTCUT,
                va='center', fontsize=10)
        if projection:
            box(ax, right, -end / 2, projection, width=2, height=1.3, size=9)
        bracket(ax, -1.25, -end + 0.6, -0.6, '$F(x)$')
    ax.set(xlim=(-2.4, 3.3 if projection else 2.9), ylim=(-len(names) - 1, 1), title=title)


def draw_shortcut(ax, on_shortcut='', on_branch='', title=''):
    """Draw on `ax` what x meets on its two ways to the addition, from top to bottom.

    on_shortcut, on_branch: what stands in a box of its own on either way, '' for nothing. The
    direct path from block to block, and what stands on it, has the shortcut's colour.
    """
    line = {'color': SHORTCUT, 'linewidth': 2.2}
    edge = {'edgecolor': SHORTCUT, 'linewidth': 2.2}
    ax.text(-1.1, 0.35, '$x$', ha='center', va='center', fontsize=12)
    arrow(ax, (-1.1, -0.2), (-1.1, -2.75))
    box(ax, -1.1, -0.95, '2 conv: $F$', width=1.9)
    ax.plot([-1.1, -1.1, 1.1, 1.1], [0.1, -0.2, -0.2, -3], **line)
    arrow(ax, (1.1, -3), (-0.85, -3), **line)
    for x, text, frame in ((1.1, on_shortcut, edge), (-1.1, on_branch, {})):
        if text:
            box(ax, x, -2, text, width=2.1, height=0.4 + 0.4 * len(text.splitlines()), **frame)
    plus(ax, -1.1, -3)
    arrow(ax, (-1.1, -3.25), (-1.1, -3.6), **line)
    box(ax, -1.1, -3.9, 'ReLU', width=1.9, height=0.6, **edge)
    arrow(ax, (-1.1, -4.2), (-1.1, -4.65), **line)
    ax.set(xlim=(-2.2, 2.2), ylim=(-4.7, 0.6))
    ax.set_title(title, fontsize=10)


def draw_option_a():
    """Option A: every other pixel of two channels, and two channels of zeros behind them."""
    ax, = canvas(6, 3.1)
    pixels = np.random.RandomState(0).uniform(0.25, 0.8, (2, 4, 4))

    def channel(x, y, values, marked=False):
        side = len(values)
        for row, column in np.ndindex(side, side):
            kept = marked and row % 2 == column % 2 == 0
            shade = values[row, column]
            ax.add_patch(Rectangle((x + column, y - row - 1), 1, 1, zorder=3 if kept else 2,
                                   facecolor=str(shade), edgecolor=SHORTCUT if kept else 'white',
                                   linewidth=3 if kept else 1))
            if shade == 1:
                ax.text(x + column + 0.5, y - row - 0.5, '0', ha='center', va='center')
        ax.add_patch(Rectangle((x, y - side), side, side, fill=False, zorder=2, edgecolor='0.4'))

    for number, values in enumerate(pixels):
        channel(0, -5 * number, values, marked=True)
        channel(7.5, -5 * number + 0.5, values[::2, ::2])
        channel(13, -2.5 * number + 0.5, values[::2, ::2])
        channel(13, -2.5 * number - 4.5, np.ones((2, 2)))
    arrow(ax, (4.6, -4.5), (7, -4.5))
    arrow(ax, (10, -4.5), (12.6, -4.5))
    for x, text in ((2, '2 channels, 4 × 4'), (8.6, '2 channels, 2 × 2'),
                    (15, '4 channels, 2 × 2')):
        ax.text(x, 1.2, text, ha='center', fontsize=10)
    ax.set_title('Option A: keep every other pixel, then add channels of zeros')
    ax.text(15.4, -1.2, 'copied', va='center', fontsize=10, color=SHORTCUT)
    ax.text(15.4, -6.2, 'zeros', va='center', fontsize=10)
    ax.set(xlim=(-0.5, 18.2), ylim=(-9.5, 2.6), aspect='equal')


def draw_paths():
    """Three residual blocks, and the eight paths that a signal can take through them."""
    ax, = canvas(6, 4.4)
    line = {'color': SHORTCUT, 'linewidth': 2}
    xs, top = (2, 4, 6), 10.2
    ax.text(0, top, '$x$', ha='center', va='center', fontsize=13)
    arrow(ax, (0.3, top), (8.3, top))
    for number, x in enumerate(xs, start=1):
        box(ax, x, top, f'$F_{number}$', width=0.9, height=0.9, size=11)
        ax.plot([x - 0.75, x - 0.75, x + 0.75], [top, top + 0.95, top + 0.95], **line)
        arrow(ax, (x + 0.75, top + 0.95), (x + 0.75, top + 0.2), **line)
        ax.text(x + 0.75, top, '+', ha='center', va='center_baseline', fontsize=12, zorder=5,
                bbox={'boxstyle': 'circle,pad=0.08', 'facecolor': 'white'})
    ax.text(4, top - 1.05, 'is the sum of', ha='center', va='center', fontsize=10, style='italic')
    passed = sorted(np.ndindex(2, 2, 2), key=lambda choice: (sum(choice), [-c for c in choice]))
    for row, choice in enumerate(passed):
        y = 8.2 - row
        ax.plot([0.3, 7.9], [y, y], color=SHORTCUT if sum(choice) == 0 else 'black',
                linewidth=2 if sum(choice) == 0 else 1.2, zorder=2)
        arrow(ax, (7.8, y), (8.3, y))
        for number, x in enumerate(xs, start=1):
            if choice[number - 1]:
                box(ax, x, y, f'$F_{number}$', width=0.9, height=0.7, size=11)
    for y, text in ((8.2, '1 path through none'), (6.2, '3 through one'), (3.2, '3 through two'),
                    (1.2, '1 through all')):
        ax.text(8.6, y, text, va='center', fontsize=10)
    for y in (7.7, 4.7, 1.7):
        ax.axhline(y, color='0.85', linewidth=1, zorder=0)
    ax.set(xlim=(-0.4, 12.2), ylim=(0.6, 11.6), title='Three blocks contain eight paths')


def draw_net(ax, parts, top):
    """Draw a whole net on `ax` from top to bottom, each part in a band of its own.

    parts: [(name, note, blocks)], a block being (layers, shortcut): the names of its layers, and
    'identity', a projection's text in a box of its own, or None for what passes them by.
    top: what goes in. Below the first shortcut of each kind stands its name.
    """
    y, above, unnamed = 0., 0.55, {True: 'identity', False: 'projection'}
    ax.text(0, 0.62, top, ha='center', va='bottom', fontsize=9)
    for index, (name, note, blocks) in enumerate(parts):
        start_of_part = y + 0.55
        for layers, shortcut in blocks:
            start = y + 0.5
            for text in layers:
                arrow(ax, (0, above), (0, y + 0.3))
                box(ax, 0, y, text, width=2.5, height=0.6, size=9)
                above = y - 0.3
                y -= 1
            if shortcut:
                y -= 0.67
                join = y + 0.95
                arrow(ax, (0, above), (0, join + 0.15))
                same = shortcut == 'identity'
                right = 1.6 if same else 2.5
                ax.plot([0, right, right, 0.3], [start, start, join, join], color=SHORTCUT,
                        linewidth=2)
                arrow(ax, (0.45, join), (0.14, join), color=SHORTCUT, linewidth=2)
                ax.text(*(1.75, (start + join) / 2) if same else (2.62, join + 0.32),
                        unnamed.pop(same, ''), color=SHORTCUT, va='center', fontsize=10)
                if not same:
                    box(ax, right, (start + join) / 2, shortcut, width=1.75, height=0.95, size=9)
                plus(ax, 0, join, circle=8, size=9)
                above = join - 0.13
        ax.axhspan(y + 0.55, start_of_part, color='#fff3d6' if index % 2 else 'white', zorder=0,
                   linewidth=0)
        ax.text(-1.6, (start_of_part + y + 0.55) / 2, f'$\\bf{{{name.replace(" ", "~")}}}$\n{note}',
                ha='right', va='center', fontsize=9, linespacing=1.4)
    ax.set(ylim=(y + 0.4, 1.05), xlim=(-4.8, 4.6))


def animate_backward(curves, title, alt):
    """An animation, for display in a notebook: gradient norms appear from the last layer back.

    curves: {label: (line style, norms)}, the norms of equally many layers, first layer first.
    alt: what the animation shows, in words. Needs no kernel afterwards.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.4), dpi=80)
    depth = max(len(norms) for _, norms in curves.values())
    lines = {label: ax.semilogy([], [], marker='o', markersize=3, **style)[0]
             for label, (style, _) in curves.items()}
    heads = {label: ax.plot([], [], marker='o', markersize=9, color=style['color'])[0]
             for label, (style, _) in curves.items()}
    for label, (style, norms) in curves.items():  # from the first picture on, where the line ends
        ax.text(1, 2 * norms[:8].max(), label, color=style['color'], fontsize=12)
    everything = np.concatenate([norms for _, norms in curves.values()])
    ax.set(xlim=(0, depth + 1), ylim=(everything.min() / 2, everything.max() * 6), title=title)
    ax.set_xlabel('convolution (the gradient comes from the right)', fontsize=12)
    ax.set_ylabel("norm of the weights' gradient", fontsize=12)

    def frame(number):
        first = max(0, depth - 1 - 2 * number)
        for label, (_, norms) in curves.items():
            # from the right, where it begins: so the dashes stay where they are
            lines[label].set_data(range(depth, first, -1), norms[first:][::-1])
            heads[label].set_data([first + 1], [norms[first]])

    frames = [*range(depth // 2 + 1), *[depth // 2] * 16]  # it rests at the end
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'backward.gif')
        FuncAnimation(fig, frame, frames, interval=120).save(path, PillowWriter(fps=8))
        data = base64.b64encode(path.read_bytes()).decode()
    plt.close(fig)
    return HTML(f'<img src="data:image/gif;base64,{data}" alt="{alt}">')


def draw_depths(ax, nets, stages=()):
    """Draw nets on `ax` as rows of blocks along an axis of layers, each stage in its own shade.

    nets: {name: (layers in a block, (blocks in each stage))}, at most four stages. Stem and head,
    black, have one layer. stages: what to write below the last row's, up to three lines each.
    """
    shades, edge = ('white', '0.86', '0.68', '0.48'), {'edgecolor': 'black', 'linewidth': 0.6}
    for row, (layers, numbers) in enumerate(nets.values()):
        first, middles = 1, [0.5]
        for shade, blocks in zip(shades, numbers, strict=False):
            behind = first + layers * blocks
            ax.barh([row] * blocks, layers, 0.5, range(first, behind, layers), color=shade, **edge)
            middles.append((first + behind) / 2)
            ax.text(middles[-1], row - 0.32, blocks, ha='center', fontsize=11)
            first = behind
        ax.barh([row, row], 1, 0.5, [0, first], color='black')
    if stages:
        for x, name in zip([*middles, first + 0.5], ('stem', *stages, 'head'), strict=True):
            ax.text(x, row + 0.34, name, ha='center', va='top', fontsize=10)
    ends = [2 + layers * sum(numbers) for layers, numbers in nets.values()]
    ax.set(xlim=(-0.03 * max(ends), 1.02 * max(ends)), xticks=ends,
           ylim=(len(nets) - (-0.15 if stages else 0.6), -0.75))
    ax.set_yticks(range(len(nets)), nets)
    ax.tick_params(labelsize=11)
    ax.grid(False)


def draw_channels(blocks):
    """Draw residual blocks side by side, from top to bottom: channels are widths, weights areas.

    blocks: {title: convolutions of the branch}, these being [(side of the kernel, channels in,
    channels out)].
    """
    inches = 1.85 / 256  # a channel's; the axes' unit is an inch
    deep = 0.38 / (9 * 64)  # and so 36,864 weights of a 3 x 3 on 64 channels can be written in it
    line = {'color': SHORTCUT, 'linewidth': 2.2}
    _, ax = plt.subplots(figsize=(6.4, 5.2))
    left = 0.
    for title, convolutions in blocks.items():
        wide = inches * convolutions[0][1]
        x, y, above = left + 0.34 + wide / 2, 0., wide / 2
        ax.text(x + 0.05, 0.3, title, ha='center', va='center', fontsize=10)
        for number, (side, before, after) in enumerate(convolutions):
            weights, below = side ** 2 * before * after, inches * after / 2
            high = deep * weights / ((before + after) / 2)
            ax.plot([x - above, x + above], [y, y], color='black', linewidth=3,
                    solid_capstyle='butt')
            ax.text(x - above - 0.05, y, before, ha='right', va='center', fontsize=10)
            top, text = y - 0.1, [f'{side}×{side}', f'{weights:,}']
            corners = (-above, top), (above, top), (below, top - high), (-below, top - high)
            ax.add_patch(Polygon([(x + dx, dy) for dx, dy in corners], facecolor='0.85',
                                 edgecolor='black', linewidth=1))
            y, above = top - high, below
            if high > 0.3:
                ax.text(x, top - high / 2, '\n'.join(text), ha='center', va='center', fontsize=9,
                        linespacing=1.1)
            else:
                ax.text(x, y - 0.11, ': '.join(text), ha='center', va='center', fontsize=9)
                y -= 0.14
            last = number == len(convolutions) - 1
            ax.text(x, y - 0.12, 'BN' if last else 'BN, ReLU', ha='center', va='center', fontsize=9)
            y -= 0.25
        ax.plot([x - above, x + above], [y, y], color='black', linewidth=3, solid_capstyle='butt')
        ax.text(x - above - 0.05, y, after, ha='right', va='center', fontsize=10)
        arrow(ax, (x, y - 0.03), (x, y - 0.2))
        plus(ax, x, y - 0.32)
        right = x + max(wide / 2, 0.36) + 0.13
        ax.plot([x + wide / 2, right, right], [0, 0, y - 0.32], **line)
        arrow(ax, (right, y - 0.32), (x + 0.14, y - 0.32), **line)
        arrow(ax, (x, y - 0.44), (x, y - 0.6))
        ax.text(x, y - 0.7, 'ReLU', ha='center', va='center', fontsize=9)
        left = right + 0.03
    ax.set(xlim=(0, left), ylim=(-4.6, 0.5), aspect='equal')
    ax.axis('off')


def draw_module(ax, branches, channels):
    """Draw an Inception module on `ax` from top to bottom: boxes, then the outputs side by side.

    branches: for each the names of its one or two layers, such as '64, 1×1 conv'; one without a
    number keeps the channels that it gets. channels: of the input. Numbers on the lines, and the
    widths of the outputs, are channels. Convolutions have the colours of KINDS.
    """
    ax.text(0, 0.5, f'input: {channels} channels', ha='center', va='center', fontsize=12)
    ends = []  # of each branch: where it stands, how many channels leave it
    for x, branch in zip(np.linspace(-4.2, 4.2, len(branches)), branches, strict=True):
        ax.plot([0, x, x], [0.2, -0.6, -3.2], color='black', linewidth=1.2)
        passed = channels
        for y, text in zip((-1.9,) if len(branch) == 1 else (-1.3, -2.5), branch, strict=True):
            number, _, name = text.rpartition(', ')
            passed = int(number or passed)
            color = 'conv' in name and KINDS['1×1' if '1×1' in name else 'ordinary 3×3']
            box(ax, x, y, name, width=2.6, size=10, color=color)
            if len(branch) == 2 and y == -1.3:
                ax.text(x + 0.12, -1.9, passed, va='center', fontsize=10)
        ends.append((x, passed))
    total, left = sum(passed for _, passed in ends), -5.5
    for x, passed in ends:
        width = 11 * passed / total
        arrow(ax, (x, -3.2), (left + width / 2, -4.05))
        ax.add_patch(Rectangle((left, -4.7), width, 0.6, facecolor='white', edgecolor='black',
                               linewidth=1, zorder=3))
        ax.text(left + width / 2, -4.4, passed, ha='center', va='center', fontsize=10, zorder=4)
        left += width
    ax.text(0, -5.15, f'concatenated: {total} channels', ha='center', va='center', fontsize=12)
    ax.set(xlim=(-5.7, 5.7), ylim=(-5.5, 0.9))


def draw_xception_steps():
    """Draw how an Inception module turns into a separable convolution, in four panels.

    Convolutions have the colours of KINDS.
    """
    steps = {'1  three branches': ((3, '1×1'), (3, '3×3')),
             '2  one 1×1, then three groups': ((1, '1×1'), (3, '3×3')),
             '3  a group for each channel': ((1, '1×1'), (6, '3×3')),
             '4  the order turned round: separable': ((6, '3×3'), (1, '1×1'))}

    def channels(ax, y):
        for x in range(6):
            ax.add_patch(Rectangle((x - 2.85, y - 0.2), 0.7, 0.4, facecolor='white',
                                   edgecolor='black', linewidth=1, zorder=3))

    for ax, (title, rows) in zip(canvas(6.4, 5.7, 2, rows=2), steps.items(), strict=True):
        channels(ax, 0)
        for level, (parts, text) in enumerate(rows):
            y, width = -1.25 - 2 * level, 6 / parts
            for x in np.linspace(width / 2 - 3, 3 - width / 2, parts):
                sees_all = text == '1×1'
                kind = text if sees_all else 'ordinary 3×3' if parts < 6 else 'depthwise 3×3'
                arrow(ax, (0 if sees_all else x, y + 1.02), (x, y + 0.36))
                box(ax, x, y, f'{text} conv' if parts < 6 else text, width=width - 0.2,
                    height=0.7, size=9, color=KINDS[kind])
                arrow(ax, (x, y - 0.36), (x, y - 0.76))
            channels(ax, y - 1)
        ax.set(xlim=(-3.2, 3.2), ylim=(-4.6, 0.4))
        ax.set_title(title, fontsize=10)
    jobs = {'1×1': 'mixes channels', 'depthwise 3×3': 'looks at neighbours',
            'ordinary 3×3': 'does both'}
    plt.gcf().legend([Rectangle((0, 0), 1, 1, facecolor=KINDS[kind], edgecolor='black')
                      for kind in jobs], jobs.values(), loc='outside lower center', ncols=3)


def draw_shared_batch():
    """Draw a batch of eight images that two devices share, and the step that each of them takes."""
    ax, = canvas(6.4, 3.9)
    for device, (side, shade) in enumerate(((1, '0.75'), (-1, '0.45'))):
        y = 2.2 * side
        for image in range(4):
            ax.add_patch(Rectangle((-0.35, y + 0.8 * image - 1.55), 0.7, 0.7, facecolor=shade,
                                   edgecolor='black', linewidth=1))
        ax.add_patch(FancyBboxPatch((1.4, y - 1.6), 10.5, 3.2, zorder=1, facecolor='0.92',
                                    boxstyle='round,pad=0,rounding_size=0.12', edgecolor='black'))
        box(ax, 3.2, y, 'copy of\nthe net', 2.6, 1.4)
        box(ax, 10.4, y, 'step', 2, 1.4)
        arrow(ax, (0.5, y), (1.85, y))
        arrow(ax, (4.55, y - 0.3 * side), (6.4, 0.35 * side))
        arrow(ax, (6.9, 0.35 * side), (9.35, y - 0.3 * side))
        arrow(ax, (9.35, y + 0.3 * side), (4.55, y + 0.3 * side), linestyle='--')
        for x, height, text, align in ((1.6, 1.15, f'device {device}', 'left'),
                                       (6.95, 0.65, 'the same new weights', 'center'),
                                       (5, -1.1, 'gradient of its 4', 'right'),
                                       (8.6, -1.1, 'sum', 'left')):
            ax.text(x, y + height * side, text, ha=align, va='center')
    plus(ax, 6.65, 0)
    for y, text in ((4.15, 'batch of 8'), (0, 'cut')):
        ax.text(0, y, text, ha='center', va='center')
    ax.set(xlim=(-1.1, 12.1), ylim=(-4.4, 4.4))


def draw_servers_and_ring(workers=4):
    """Draw, side by side, workers around a parameter server, and the first round of a ring."""
    left, right = canvas(6.4, 3.8, columns=2)
    angles = np.pi / 2 - 2 * np.pi * np.arange(workers) / workers
    places = 2.9 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    box(left, 0, 0, 'server', width=1.5, height=0.8)
    for rank, (place, following) in enumerate(zip(places, np.roll(places, -1, axis=0),
                                                  strict=True)):
        side = 0.07 * np.array([-place[1], place[0]])  # to the left of the way to the server
        flat = abs(place[0]) / 2.9  # boxes are wider than high
        outer, inner = (0.84 - 0.17 * flat) * place, (0.17 + 0.11 * flat) * place
        arrow(left, outer + side, inner + side)
        arrow(left, inner - side, outer - side, linestyle='--')
        way = following - place
        arrow(right, place + 0.2 * way, place + 0.8 * way)
        x, y = place + 0.5 * way
        right.text(x + 0.15 * np.sign(x), y + 0.3 * np.sign(y), f'piece {rank}', va='center',
                   ha='left' if x > 0 else 'right', fontsize=10)
        for ax in (left, right):
            box(ax, *place, f'worker {rank}', width=1.7)
    for ax, x, y, text, align in ((left, -0.4, 1.4, 'push: whole\ngradient', 'right'),
                                  (left, 0.4, 1.4, 'pull: sum', 'left'),
                                  (right, 0, 0, f'a piece: 1/{workers}\nof a gradient',
                                   'center')):
        ax.text(x, y, text, ha=align, va='center', fontsize=10)
    for ax, title in ((left, 'parameter server:\nall meet at one link'),
                      (right, 'ring, first round:\neach sends to the next')):
        ax.set(xlim=(-3.9, 3.9), ylim=(-3.4, 3.4), title=title)


def draw_rounds(rounds):
    """Draw tables of workers (rows) and pieces (columns), what has changed since the last framed.

    rounds: {title: integers, (workers, pieces)}; the largest number is darkest. At most eight.
    """
    fig, axes = plt.subplots(2, 4, figsize=(6.4, 3.9))
    tables = list(rounds.values())
    for ax, title, table, before in zip(axes.flat, rounds, tables, tables[:1] + tables,
                                        strict=False):
        ax.imshow(table, cmap='Greys', vmin=0, vmax=2 * np.max(tables))
        for (row, column), value in np.ndenumerate(table):
            ax.text(column, row, value, ha='center', va='center',
                    weight='bold' if value == np.max(tables) else 'normal')
            if value != before[row, column]:
                ax.add_patch(Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False,
                                       edgecolor='black', linewidth=2))
        ax.set(xticks=range(table.shape[1]), yticks=range(len(table)))
        ax.set_title(title, fontsize=9)
        ax.grid(False)
    for ax in axes.flat[len(tables):]:
        ax.axis('off')
    if len(tables) < 8:
        axes.flat[7].text(0.5, 0.5, 'number:\ngradients in\nthe piece\n\nframe:\njust arrived',
                          ha='center', va='center', fontsize=10)
    fig.supxlabel('piece of the gradient', fontsize=10)
    fig.supylabel('worker', fontsize=10)


def draw_identity_kernel(ax):
    """Draw on `ax` a piece of an image, a 3 x 3 kernel with one 1 in its middle, and the result."""
    ax.axis('off')
    pixels = np.random.RandomState(3).randint(1, 10, (4, 4))
    kernel = np.zeros((3, 3), int)
    kernel[1, 1] = 1

    def table(left, numbers, title, frame, bold):
        side = len(numbers)
        for (row, column), value in np.ndenumerate(numbers):
            x, y = left + column, side / 2 - row - 1
            shade = 1 - 0.05 * value if side == 4 else 1
            ax.add_patch(Rectangle((x, y), 1, 1, facecolor=str(shade), edgecolor='0.5'))
            ax.text(x + 0.5, y + 0.47, value, ha='center', va='center', fontsize=10,
                    weight='bold' if (row, column) == bold else 'normal')
        column, row, width = frame
        ax.add_patch(Rectangle((left + column, side / 2 - row - width), width, width, fill=False,
                               edgecolor='black', linewidth=2.2, zorder=3))
        ax.text(left + side / 2, 2.4, title, ha='center', fontsize=10)

    table(0, pixels, 'comes in', (0, 0, 3), (1, 1))
    table(6, kernel, 'kernel', (0, 0, 3), (1, 1))
    table(11, pixels, 'goes out', (1, 1, 1), (1, 1))
    for x, text in ((5, '×'), (10, '=')):
        ax.text(x, 0, text, ha='center', va='center', fontsize=14)
    middle = pixels[1, 1]
    ax.text(7.5, -3.1, f'{middle} × 1 + the eight others × 0 = {middle}', ha='center', fontsize=10)
    ax.set(xlim=(-2, 17), ylim=(-3.3, 3.2), aspect='equal')


def draw_identity_copy():
    """A plain net of 20 layers, the 56-layer net that computes the same, and what makes it so.

    Each box is a block of two layers: those of the shallow net stand above their copies. Below is
    the kernel of an added block, with a piece of an image before and behind it.
    """
    _, (ax, below) = plt.subplots(2, 1, figsize=(6.4, 5.4), height_ratios=(3.3, 2.1))
    draw_identity_kernel(below)
    ax.axis('off')
    # Stem, three stages of nine places with a gap behind each, and head.
    places = [0, *(2 + 10 * stage + i for stage in range(3) for i in range(9)), 32]
    copied = [0, *(2 + 10 * stage + i for stage in range(3) for i in range(3)), 32]
    for y, blocks, name in ((3, copied, 'plain-20'), (0, places, 'plain-56')):
        arrow(ax, (-1.2, y), (33.8, y), linewidth=2)  # the signal
        ax.text(-1.6, y, name, ha='right', va='center', fontsize=10)
        for x in blocks:
            trained = x in copied
            ax.add_patch(Rectangle((x - 0.36, y - 0.6), 0.72, 1.2, zorder=3, linewidth=1,
                                   edgecolor='black' if trained else '0.5',
                                   facecolor='0.6' if trained else 'white'))
            if not trained:  # the signal is seen to pass
                ax.plot([x - 0.36, x + 0.36], [y, y], color='black', linewidth=2, zorder=4)
    for x in copied:
        arrow(ax, (x, 2.35), (x, 0.65), linewidth=0.8)
    for stage in range(3):
        left = 2 + 10 * stage
        ax.text(left + 4, 4.2, f'stage {stage + 1}', ha='center', fontsize=10)
        for first, last, text in ((0, 2, 'copied'), (3, 8, 'do nothing')):
            ends = [left + first - 0.3, left + last + 0.3]
            ax.plot(ends, [-0.85, -0.85], color='black', linewidth=1)
            ax.text(np.mean(ends), -1.15, f'{last - first + 1}\n{text}', ha='center', va='top',
                    fontsize=9)
    for x, text in ((0, 'stem'), (32, 'head')):
        ax.text(x, -1.15, text, ha='center', va='top', fontsize=9)
    ax.set(xlim=(-5.6, 34), ylim=(-2.6, 4.9))


def draw_work_and_weights(convolutions):
    """Draw convolutions side by side: what each puts out, and bars of its work and its weights.

    convolutions: {name: (weights, side of the output, channels of the output)}. At the top a box
    is as high as the side and as wide as the channels; each row of bars has a scale of its own.
    """
    ax, = canvas(6.4, 4.6)
    bills = (('multiply-adds,\nmillions', 0.55, '0.75', '.0f',
              [weights * side ** 2 / 1e6 for weights, side, _ in convolutions.values()]),
             ('weights,\nmillions', -0.95, '0.45', '.2f',
              [weights / 1e6 for weights, _, _ in convolutions.values()]))
    for x, (name, (_, side, channels)) in enumerate(convolutions.items()):
        wide, high = 0.9 * channels / 512, side / 50
        ax.add_patch(Rectangle((x - wide / 2, 2.45 - high / 2), wide, high, facecolor='#fff3d6',
                               edgecolor='black', linewidth=1))
        ax.text(x, 3.05, name, ha='center', weight='bold')
        ax.text(x, 1.58, f'{side} × {side}\n{channels} channels', ha='center', linespacing=1.3)
        if x:
            arrow(ax, (x - 0.7, 2.45), (x - 0.5, 2.45))
    ax.text(-0.5, 2.45, 'what it\nputs out', ha='right', va='center')
    for title, foot, color, digits, numbers in bills:
        ax.text(-0.5, foot + 0.3, title, ha='right', va='center')
        ax.plot([-0.4, len(numbers) - 0.6], [foot, foot], color='black', linewidth=1)
        for x, number in enumerate(numbers):
            ax.add_patch(Rectangle((x - 0.28, foot), 0.56, 0.75 * number / max(numbers),
                                   facecolor=color, edgecolor='black', linewidth=1))
            ax.text(x, foot + 0.75 * number / max(numbers) + 0.06, format(number, digits),
                    ha='center')
    ax.set(xlim=(-1.5, len(convolutions) - 0.5), ylim=(-1.0, 3.3))


def draw_streams(blocks):
    """Draw blocks side by side from top to bottom: a stream on the left, the branches beside it.

    blocks: {title: (branches, behind)}; a branch is (its layers, how it joins: '+' or 'concat'),
    `behind` what stands on the stream after the last one. Marks before a name: '*' a thick frame,
    '<' a narrow box, for fewer channels, '~' something that is missing there. Behind a 'concat'
    the stream is thicker.
    """
    rows = max(sum(len(layers) + 1.7 for layers, _ in branches) + 0.9 * len(behind)
               for branches, behind in blocks.values())
    _, axes = plt.subplots(1, len(blocks), figsize=(6.4, 0.5 * rows + 0.3))
    for ax, (title, (branches, behind)) in zip(axes, blocks.items(), strict=True):
        y, top, line = 0., 0.1, {'color': SHORTCUT, 'linewidth': 2.6}

        def layer(x, y, marked, width, ax=ax):
            text = marked.lstrip('*<~')
            marks = marked[:-len(text)]
            if '~' in marks:
                ax.text(x + 0.15, y, f'no {text}', va='center', fontsize=9, color='0.4')
                return
            box(ax, x, y, text, width=1.65 if '<' in marks else width, size=9,
                height=0.86 if '\n' in text else 0.74)
            ax.patches[-1].set_linewidth(2.6 if '*' in marks else 1)

        ax.text(0, 0.2, '$x$', ha='center', va='bottom', fontsize=12)
        for layers, join in branches:
            ax.plot([0, 1.55], [y - 0.2, y - 0.2], color='black', linewidth=1.2)
            above = y - 0.2
            for text in layers:
                y -= 1
                half = 0.43 if '\n' in text else 0.37
                arrow(ax, (1.55, above), (1.55, y + half))
                layer(1.55, y, text, 2.2)
                above = y - half
            y -= 0.8
            ax.plot([1.55, 1.55], [above, y], color='black', linewidth=1.2)
            if join == '+':
                arrow(ax, (1.55, y), (0.2, y))
                plus(ax, 0, y, circle=12, size=11)
            else:
                arrow(ax, (1.55, y), (0.9, y))
                layer(0.25, y, join, 1.3)
                ax.plot([0, 0], [top, y], zorder=1, **line)
                top, line['linewidth'] = y, 5.5  # from here on there are more channels
            y -= 0.9 if behind else 0.4
        for text in behind:
            layer(0, y, text, 1.)
            y -= 0.9
        ax.plot([0, 0], [top, y], zorder=1, **line)
        arrow(ax, (0, y), (0, y - 0.35), **line)
        ax.set(xlim=(-0.6, 2.7), ylim=(-rows - 0.6, 0.8))
        ax.set_title(title, fontsize=10)
        ax.axis('off')


def draw_norms():
    """Draw which numbers of a batch get mean 0 and variance 1 together, in BN and in LN.

    A row is a pixel, a column a channel; grey, one such set.
    """
    pixels, channels = 4, 6
    _, axes = plt.subplots(1, 2, figsize=(6.4, 3.6))
    for ax, title in zip(axes, ('BN: one channel,\nall pixels of all images',
                                'LN: one pixel,\nall its channels'), strict=True):
        for image, row, column in np.ndindex(2, pixels, channels):
            grey = column == 2 if title.startswith('BN') else (image, row) == (0, 1)
            ax.add_patch(Rectangle((column, image * (pixels + 0.6) + row), 1, 1, linewidth=0.8,
                                   facecolor='0.55' if grey else 'white', edgecolor='black'))
        ax.set_yticks([pixels / 2, 1.5 * pixels + 0.6],
                      ['pixels of\nimage 1', 'pixels of\nimage 2'])
        ax.set(title=title, xlabel='channels', xticks=(), xlim=(-0.1, channels + 0.1),
               ylim=(2 * pixels + 0.7, -0.1))
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.grid(False)


def draw_attention(a, q, k, v, fixed=(0.25, 0.5, 0.25)):
    """Draw what each of three pixels or more receives, a panel each: by a convolution, above, and
    by attention, below.

    a: the weights (receiving pixel, handing pixel). q, k, v: a row a pixel, v of one number.
    fixed: the three weights of the convolution, for neighbours only. The thicker a line, the
    larger its weight.
    """
    pixels, values = len(v), np.asarray(v, float)[:, 0]
    places = np.arange(pixels)
    near = places - places[:, None] + 1  # which of `fixed`, from row to column
    convolution = np.where(abs(near - 1) < 2, np.take(fixed, near.clip(0, 2)), 0)
    _, axes = plt.subplots(2, pixels, figsize=(6.4, 5.2), squeeze=False)

    def numbers(row):
        return f'({", ".join(f"{number:g}" for number in row)})'

    def pixel(ax, x, y, text, color='white'):
        ax.add_patch(Rectangle((x - 0.5, y - 0.36), 1, 0.72, facecolor=color, zorder=3,
                               edgecolor='black', linewidth=1))
        ax.text(x, y, text, ha='center', va='center', fontsize=10, zorder=4)

    for row, (weights, asks) in enumerate(((convolution, None), (np.asarray(a), q))):
        for i, ax in enumerate(axes[row]):
            for j, weight in enumerate(weights[i]):
                pixel(ax, 0, -j, f'{values[j]:g}', '0.88')
                if asks is not None:
                    ax.text(-0.6, -j, numbers(k[j]), ha='right', va='center', fontsize=9)
                if weight:
                    ax.plot((0.5, 2.6), (-j, -i), color='black', linewidth=9 * weight, zorder=1,
                            solid_capstyle='butt')
                    ax.text(1.3, -j + 0.38 * (j - i), f'{weight:.2f}', ha='center', va='center',
                            fontsize=9, zorder=4, bbox={**ON_WHITE, 'pad': 0.8})
            pixel(ax, 3.1, -i, f'{weights[i] @ values:.1f}')
            ax.text(0, 0.45, 'value', ha='center', va='bottom', fontsize=9)
            if asks is not None:
                ax.text(-0.6, 0.45, 'key', ha='right', va='bottom', fontsize=9)
                ax.text(3.1, 0.45 - i, f'query\n{numbers(asks[i])}', ha='center', va='bottom',
                        fontsize=9)
            ax.text(1.3, 1.35, f'pixel {i + 1} receives', ha='center', va='bottom', fontsize=10)
            ax.set(xlim=(-1.6, 3.7), ylim=(-pixels + 0.55, 1.8))
            ax.axis('off')
    for ax, title in zip(axes[:, pixels // 2], ('convolution: the same weights at every pixel',
                                                'attention: each pixel computes its own'),
                         strict=True):
        ax.set_title(title)


def draw_gains(rows, title):
    """Draw accuracies (%), one below the other, with an arrow from the one that each started from.

    rows: {name: (accuracy, name of the row that it started from or None, what led from there)}.
    ResNets are blue.
    """
    _, ax = plt.subplots(figsize=(6.4, 0.62 * len(rows) + 1))
    values = [value for value, _, _ in rows.values()]
    low, high = min(values), max(values)
    for y, (name, (value, start, text)) in enumerate(rows.items()):
        color = SHORTCUT if name.startswith('ResNet') else 'black'
        ax.plot(value, y, 'o', color=color, markersize=9, zorder=3)
        ax.text(value + 0.25, y, f'{value:.1f} %', ha='left', va='center', color=color)
        if start:
            before = rows[start][0]
            ax.plot([before] * 2, [list(rows).index(start), y], ':', color='0.5', linewidth=1.2)
            arrow(ax, (before, y), (value, y), shrinkB=6)
            ax.text((before + value) / 2, y - 0.1, text, ha='center', va='bottom', fontsize=9)
    ax.set(title=title, xlabel="ImageNet's pictures named right (%)", ylim=(len(rows) - 0.5, -0.6),
           xlim=(low - 0.4, high + 1.2))
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(False)


def draw_seen(ax, branch, shortcut, side, title=''):
    """Draw on `ax` the pixels that a block reads, and two neighbouring windows of stride 2.

    branch, shortcut: which pixels either reads, booleans (height, width); they become grey, and
    get a dot. side: of the windows.
    """
    ax.imshow(branch, cmap='Greys', vmin=0, vmax=2.5)
    edges = np.arange(len(branch) + 1) - 0.5
    ax.hlines(edges, edges[0], edges[-1], color='0.5', linewidth=0.6)
    ax.vlines(edges, edges[0], edges[-1], color='0.5', linewidth=0.6)
    rows, columns = np.nonzero(shortcut)
    ax.plot(columns, rows, 'o', color=SHORTCUT, markersize=7)
    for column, style in ((2, '-'), (4, '--')):
        ax.add_patch(Rectangle((column - side / 2, 2 - side / 2), side, side, fill=False,
                               edgecolor='black', linewidth=3, linestyle=style, zorder=3))
    ax.text(edges[-1] / 2 - 0.25, edges[-1] + 0.2, 'grey: read by the branch', ha='center',
            va='top', fontsize=10)
    ax.text(edges[-1] / 2 - 0.25, edges[-1] + 0.8, 'frames: two of its windows', ha='center',
            va='top', fontsize=10)
    ax.text(edges[-1] / 2 - 0.25, edges[-1] + 1.4, 'dots: read by the shortcut', ha='center',
            va='top', fontsize=10, color=SHORTCUT)
    ax.set(xlim=(-0.6, len(branch) - 0.4), ylim=(len(branch) + 1.6, -0.6))
    ax.set_title(title, fontsize=11)
    ax.axis('off')


def draw_costs(costs, kinds, free=None):
    """Draw, side by side, time against multiply-adds, and the memory that training takes.

    A step may keep up to twice the outputs that are counted (notebook 05): dashed on top.
    costs: {layers: {'multiply-adds', 'milliseconds', 'for parameters', 'for 32 images': numbers}}.
    kinds: {name of the block: layers of its nets}, two or more. free: GB, a line for them.
    """
    _, (left, right) = plt.subplots(1, 2, figsize=(6.4, 4.2))
    work, times = (np.array([net[key] for net in costs.values()])
                   for key in ('multiply-adds', 'milliseconds'))
    far, rate = 1.17 * work.max(), times.sum() / work.sum()
    left.plot([0, far], [0, rate * far], color='black', linestyle=':', linewidth=1.2)
    left.text(0.97 * far, 0.02 * rate * far, f'dotted: {rate:.0f} ms\nfor each 10⁹', ha='right',
              fontsize=10)
    for shade, (kind, nets) in zip(('0.5', 'black'), kinds.items(), strict=True):
        points = [(costs[layers]['multiply-adds'], costs[layers]['milliseconds'])
                  for layers in nets]
        left.plot(*zip(*points, strict=True), 'o', color=shade, markersize=8)
        left.annotate(kind, points[1], (-12, 8), textcoords='offset points', ha='right',
                      color=shade)
        for layers, point in zip(nets, points, strict=True):
            left.annotate(layers, point, (8, -11), textcoords='offset points')
    left.set(xlabel='multiply-adds, 1 image (10⁹)', ylabel='to train on 1 image (ms)', ylim=0,
             xlim=(0, far), title='Time follows the work, roughly')
    names = [str(layers) for layers in costs]
    for_parameters, for_images = (np.array([net[key] for net in costs.values()])
                                  for key in ('for parameters', 'for 32 images'))
    right.bar(names, for_parameters, color='white', edgecolor='black', hatch='////')
    right.bar(names, for_images, bottom=for_parameters, color='0.45')
    bars = right.bar(names, for_images, bottom=for_parameters + for_images, color='white',
                     edgecolor='black', linestyle='--')
    right.bar_label(bars, fmt='%.1f', padding=2)
    top = (for_parameters + 2 * for_images).max()
    right.annotate('parameters,\ngradients,\nmomentum', (-0.3, for_parameters[0] / 2),
                   (-0.4, 0.32 * top), arrowprops={**ARROW, 'relpos': (0.08, 0)}, va='center',
                   fontsize=9)
    for text, share, color in (('outputs, counted', 0.5, 'white'),
                               ('outputs, at most', 1.5, 'black')):
        right.text(len(names) - 1, for_parameters[-1] + share * for_images[-1], text,
                   rotation=90, ha='center', va='center', color=color, fontsize=9)
    if free:
        right.axhline(free, color='black', linestyle=':', linewidth=1.2)
        right.text(-0.4, free, f'your {free} GB', va='bottom')
    right.set(xlabel='layers', ylabel='to train on 32 images (GB)', title='Memory: outputs fill it')
    right.margins(y=0.08)
    right.grid(False)


def draw_receptive_field(ax):
    """Draw on `ax`, in one dimension, what a number sees that lies behind two windows.

    Of 11 pixels windows of 7, 2 pixels apart, make three numbers, and one window of 3 makes one.
    """
    def squares(y, places, shade):
        for x in places:
            ax.add_patch(Rectangle((x - 0.45, y), 0.9, 0.9, facecolor=shade, edgecolor='black',
                                   linewidth=1, zorder=3))

    rows = ((0, range(11), 'white', 'pixels:\n7 + 2 · 2 = 11'),
            (2.4, (3, 5, 7), '0.8', 'convolution:\n3 numbers, 2 pixels apart'),
            (4.8, (5,), '0.5', 'max-pool:\n1 number'))
    for y, places, shade, text in rows:
        squares(y, places, shade)
        ax.text(11.2, y + 0.45, text, va='center', fontsize=10)
    for (y, places, *_), half in zip(rows[1:], (3, 2), strict=True):  # of a window, in pixels
        for x in places:
            for side in (-1, 1):
                ax.plot([x + 0.45 * side, x + (half + 0.45) * side], [y, y - 1.5],
                        color='black', linewidth=0.8)
    ax.set(xlim=(-3, 19.5), ylim=(-1.8, 5.9), aspect='equal')
    ax.axis('off')


def draw_fields(ax, picture, fields, middle):
    """Draw on `ax` squares around pixel [middle, middle] of a square picture: receptive fields.

    fields: {name: side of the square}; one that leaves the picture is dashed. Its name stands
    below it.
    """
    size = len(picture)
    ax.imshow(picture, cmap='Greys', vmin=0, vmax=2.5)
    ax.add_patch(Rectangle((-0.5, -0.5), size, size, fill=False, edgecolor='0.6'))
    for name, field in fields.items():
        first, last = middle - field // 2, middle + field // 2
        inside = first >= 0 and last < size
        ax.add_patch(Rectangle((first - 0.5, first - 0.5), field, field, fill=False, linewidth=1.8,
                               edgecolor='black', linestyle='-' if inside else '--'))
        ax.text(middle, last + 0.025 * size, f'{name}: {field} px', ha='center', va='top',
                fontsize=10, bbox=ON_WHITE)
    ax.set(xlim=(-0.06 * size, 1.05 * size), ylim=(1.14 * size, -0.06 * size))
    ax.axis('off')


def draw_bills(bills):
    """Draw bars of 100 % for {what is counted: {part: number}}; lines join the same part.

    Parts too narrow for their names are named above the first bar, the others within.
    """
    _, ax = plt.subplots(figsize=(6.4, 3.3))
    shades, ends = ('white', '0.93', '0.84', '0.74', '0.6', 'black'), []
    for row, bill in enumerate(bills.values()):
        shares = 100 * np.array(list(bill.values())) / sum(bill.values())
        ends.append(np.cumsum(shares))
        outside = iter(((0.5, 'left'), (13, 'left'), (25, 'left'), (100, 'right')))
        for name, share, end, shade in zip(bill, shares, ends[row], shades, strict=True):
            ax.barh(row, -share, 0.5, end, color=shade, edgecolor='black')
            if share > 5:
                ax.text(end - share / 2, row, f'{name}\n{share:.0f} %', ha='center', va='center',
                        fontsize=9)
            elif row == 0:
                place, side = next(outside)
                ax.annotate(f'{name}\n{share:.1g} %', (end - share / 2, -0.26), (place, -0.5),
                            ha=side, va='bottom', fontsize=9, arrowprops={
                                **ARROW, 'relpos': (float(side == 'right'), 0)})
    for above, below in zip(*ends, strict=True):  # from bar to bar
        ax.plot([above, below], [0.25, 0.75], color='0.5', linewidth=0.8)
    ax.set(xlim=(0, 100), ylim=(1.4, -0.9), xlabel='per cent of the whole net')
    ax.set_yticks(range(len(bills)), labels=bills)


def draw_bn_places(places):
    """Draw the stem and a block with a 1 x 1 shortcut, once for each net; BN is black.

    A way through the block that meets no BN is thick. places: {title: those of 'stem', 'branch'
    and 'shortcut' that have BN}.
    """
    def norm(ax, x, y):
        ax.add_patch(Rectangle((x - 0.75, y - 0.28), 1.5, 0.56, facecolor='black', zorder=3))
        ax.text(x, y, 'BN', color='white', ha='center', va='center', fontsize=9, zorder=4)

    for ax, (title, having) in zip(canvas(6.4, 4.2, columns=len(places)), places.items(),
                                   strict=True):
        arrow(ax, (0, 0.9), (0, -6.75))
        if 'branch' not in having:
            ax.plot([0, 0], [-1.95, -6.6], color='black', linewidth=5, solid_capstyle='butt')
        line = {'color': SHORTCUT, 'linewidth': 2.2 if 'shortcut' in having else 5}
        ax.plot([0, 1.9, 1.9, 0.8], [-1.95, -1.95, -7, -7], **line)
        arrow(ax, (0.9, -7), (0.25, -7), color=SHORTCUT, linewidth=2.2)
        plus(ax, 0, -7)
        arrow(ax, (0, -7.25), (0, -8))
        for x, y, text in ((0, 0, '7×7 conv'), (0, -3, '3×3 conv'), (0, -5, '3×3 conv'),
                           (1.9, -4, '1×1 conv')):
            box(ax, x, y, text, width=1.7, height=0.56, size=9)
        for place, x, y in (('stem', 0, -0.9), ('branch', 0, -3.9), ('branch', 0, -5.9),
                            ('shortcut', 1.9, -4.9)):
            if place in having:
                norm(ax, x, y)
        ax.set(xlim=(-0.95, 2.8), ylim=(-8.1, 1))
        ax.set_title(title, fontsize=10)


def draw_graph(operations, shapes):
    """Draw operations as the file of a net lists them, the longest path on the left.

    operations: [(title, its inputs, its outputs)], names of arrays, in an order in which they can
    be computed. An arrow leads to each operation from those whose output it takes; its first input
    comes from the top if no operation makes it. Other inputs, such as weights, are not drawn. What
    is beside the longest path is blue: the shortcut.
    shapes: {name of an array: text}, written beside the arrow that the array takes.
    """
    made = {name: i for i, (_, _, outputs) in enumerate(operations) for name in outputs}
    before = [[made[name] for name in inputs if name in made] for _, inputs, _ in operations]
    rows = []
    for sources in before:
        rows.append(1 + max((rows[i] for i in sources), default=0))
    main = {len(operations) - 1}
    while sources := before[min(main)]:
        main.add(max(sources, key=rows.__getitem__))
    ax, = canvas(6.4, 0.62 * max(rows) + 1)
    places = [(0 if i in main else 3.6, -row) for i, row in enumerate(rows)]
    side = {'color': SHORTCUT, 'linewidth': 2.2}
    ax.text(0, 0, 'input', ha='center', va='center', fontsize=11)

    def beside(x, y, name):
        if name in shapes:
            ax.text(x + 0.12, y, shapes[name], va='center', fontsize=9)

    for (title, inputs, outputs), (x, y), sources in zip(operations, places, before, strict=True):
        style = side if x else {}
        box(ax, x, y, title, width=3.2)
        beside(x, y - 0.5, outputs[0])
        for start_x, start_y in [places[i] for i in sources] or [(0, 0.1)]:
            start = start_y - 0.31
            if start_x == x:
                arrow(ax, (x, start), (x, y + 0.31), **style)
            elif sources:  # from the side path, level with where it ends
                ax.plot([start_x, start_x], [start, y], **side)
                arrow(ax, (start_x, y), (x + 1.6, y), **side)
                ax.text(start_x - 0.12, (start + y) / 2, 'shortcut', ha='right', va='center',
                        fontsize=11, color=SHORTCUT)
            else:
                ax.plot([0, x], [-0.4, -0.4], **side)
                arrow(ax, (x, -0.4), (x, y + 0.31), **side)
        if not sources and not x:
            beside(x, -0.23, inputs[0])
    arrow(ax, (0, -max(rows) - 0.31), (0, -max(rows) - 0.72))
    ax.set(xlim=(-2.4, 6), ylim=(-max(rows) - 0.9, 0.3))


def draw_keras_padding():
    """A kernel of 3 at stride 2 on six pixels, with our padding on top and Keras's below.

    What the kernel makes of a window, black, is added to the pixel that a 1 x 1 shortcut reads,
    blue: ours meet, Keras's come from two places. The numbers are the pixels' positions.
    """
    titles = ('Our padding: kernel and shortcut look at the same place',
              "Keras's: the kernel looks one pixel further to the right")
    for ax, title, shift in zip(canvas(6.4, 5.2, rows=2), titles, (0, 1), strict=True):
        for x in range(shift - 1, 7):  # Keras's has no zero on the left
            zero = x in (-1, 6)
            read = x in (0, 2, 4)
            ax.add_patch(Rectangle((x - 0.5, -0.5), 1, 1, edgecolor='black', linewidth=1,
                                   facecolor='white' if zero else '0.88',
                                   linestyle=':' if zero else '-'))
            ax.text(x, 0, 'zero' if zero else f'{x}', ha='center', va='center', fontsize=11,
                    color=SHORTCUT if read else 'black', weight='bold' if read else 'normal')
        for i, pixel in enumerate((0, 2, 4)):
            centre, y = pixel + shift, 0.8 + 0.35 * (i % 2)
            ends = (centre - 1.42, centre + 1.42)
            ax.plot([ends[0], *ends, ends[1]], [y - 0.15, y, y, y - 0.15], color='black',
                    linewidth=1.5)
            ax.plot(centre, y, 'o', color='black')
            arrow(ax, (centre + 0.09, y), (pixel + 0.09 + 0.1 * shift, 2.15), linewidth=1.5)
            arrow(ax, (pixel - 0.09, 0.5), (pixel - 0.09, 2.15), color=SHORTCUT, linewidth=2.2)
            box(ax, pixel, 2.45, f'{centre} + {pixel}', width=1.3, height=0.6, size=11)
        for y, text, color in ((2.45, 'positions that\nare added', 'black'),
                               (1.2, '3 × 3 kernel:\nits windows', 'black'),
                               (0, '1 × 1 shortcut:\nthe blue pixels', SHORTCUT)):
            ax.text(-1.75, y, text, ha='right', va='center', fontsize=10, color=color)
        ax.set(xlim=(-4.9, 6.6), ylim=(-0.7, 3))
        ax.set_title(title)


def draw_arriving(pictures, says):
    """Draw pictures as a net gets them, over each its name and what the net says, below it the
    range of its numbers.

    pictures: {name: numbers (3, height, width)}, -2 being drawn black and 2 white. says: {name:
    text}.
    """
    _, axes = plt.subplots(1, len(pictures), figsize=(6.4, 2.7), squeeze=False)
    for ax, (name, numbers) in zip(axes.flat, pictures.items(), strict=True):
        ax.imshow(np.clip(numbers / 4 + 0.5, 0, 1).transpose(1, 2, 0))
        low, high = (f'{edge:.0f}' if abs(edge) >= 10 else f'{edge:.1f}'
                     for edge in (numbers.min(), numbers.max()))
        ax.set(title=f'{name}\n{says[name]}', xticks=[], yticks=[],
               xlabel=f'numbers\n{low} to {high}'.replace('-', '−'))


def draw_transfer():
    """A net that knows six classes, and three ways to one for four others.

    It stands between the two ways that copy its stem and stages, which are grey.
    """
    ax, = canvas(6.4, 4.2)
    ways = (('frozen', 'copied,\nleft as is', '0.88', '--'),
            ('old net', 'trained on\n6 classes', '0.88', '-'),
            ('fine-tuned', 'copied,\ntrained on', '0.88', '-'),
            ('from scratch', 'random,\ntrained', 'white', '-'))
    for x, (way, state, shade, line) in enumerate(ways):
        old = way == 'old net'
        output = 'output layer:\n' + ('trained,\nstays behind' if old else 'new,\ntrained')
        for y, high, text, color, edge in (
                (2.2, 1.9, f'stem and\nstages:\n{state}', shade, line),
                (-0.9, 1.5, output, 'white', '-')):
            box(ax, 2.5 * x, y, text, 1.85, high, color=color, linewidth=1.8, linestyle=edge)
        for start, end in ((3.95, 3.15), (1.25, -0.15), (-1.65, -2.3)):
            arrow(ax, (2.5 * x, start), (2.5 * x, end))
        for y, text in ((4.05, 'image'), (-2.75, '6 old classes' if old else '4 new classes')):
            ax.text(2.5 * x, y, text, ha='center', fontsize=10)
        ax.text(2.5 * x + 0.1, 0.55, '64 features', va='center', fontsize=9)
        ax.text(2.5 * x, 4.75, way, ha='center', fontsize=12, weight='bold', color=WAYS[way])
    for start, end in ((1.55, 0.95), (3.45, 4.05)):
        arrow(ax, (start, 2.2), (end, 2.2), color=SHORTCUT, linewidth=2.5)
    ax.set(xlim=(-1, 8.5), ylim=(-2.9, 5.2))


def draw_mistakes(right, moved, always, refused):
    """Draw what mistakes do to a net: on the left the share that is right, on the right how far
    its probabilities moved. The first row is the net as it is; below it stand the mistakes that
    accuracy does not see, then those that it sees.

    right, moved: {name: number}, in one order, the net as it is first.
    always: the share that is right by always saying "bottle". refused: from where on a change is.
    """
    first, *others = right
    order = [first, *sorted(others, key=lambda name: -right[name])]
    unseen = sum(right[name] >= right[first] - 0.05 for name in order)
    headings = {'accuracy does not see:': 1, 'accuracy sees:': unseen + 1}
    places = [i + (i > 0) + (i >= unseen) for i in range(len(order))]  # a row for each heading
    _, (left, other) = plt.subplots(1, 2, figsize=(6.4, 4.6), sharey=True)
    for y, name in zip(places, order, strict=True):
        left.barh(y, right[name], color='0.8', edgecolor='black')
        left.text(0.02, y, f'{right[name]:.3f}', va='center')
        other.plot(moved[name], y, 'o', color='black')
        if moved[name] < 1e-3:
            digit, power = f'{moved[name]:.0e}'.split('e-')
            number = f'{digit} · 10⁻{power.lstrip("0").translate(RAISED)}'
        else:
            number = np.format_float_positional(moved[name], 1, fractional=False, trim='-')
        aside, ha = (7, 'left') if moved[name] < 0.1 else (-7, 'right')
        other.annotate(number, (moved[name], y), (aside, 0), textcoords='offset points', ha=ha,
                       va='center', bbox=ON_WHITE)
    for text, y in headings.items():
        left.text(0.01, y + 0.1, text, va='center', weight='bold', fontsize=9, bbox=ON_WHITE)
    foot = places[-1] + 0.7
    left.axvline(always, color='black', linestyle=':')
    left.text(always + 0.02, foot, "always 'bottle'", fontsize=9, va='center')
    other.axvline(refused, color='black', linestyle='--', linewidth=1)
    other.text(1.5 * refused, foot, 'beyond: another net', fontsize=9, va='center')
    left.set(yticks=places, yticklabels=order, xlim=(0, 1), xticks=(0, 0.5, 1),
             ylim=(foot + 0.4, -0.6), xlabel='share of right answers',
             title='Accuracy misses three mistakes …')
    left.grid(False, axis='y')
    other.grid(False, axis='y')
    other.set(xscale='log', xlim=(1e-7, 3), xticks=(1e-6, 1e-4, 1e-2, 1),
              xlabel='largest change\nof a probability', title='… probabilities miss none')


def draw_first_difference(spoilt, everywhere, stages, level):
    """Draw how far each operation's output is from another file's, from the first to the last.

    spoilt, everywhere: (name, a number for each operation), of a file in which one operation is
    spoilt, which an arrow shows, and of one with a mistake that sits everywhere. Where the spoilt
    one has no difference, or less than 1e-6, a mark at the foot says so. stages: {name: its last
    operation, counted from 1}. level: from where on a difference counts.
    """
    _, (ax, strip) = plt.subplots(2, 1, figsize=(6.4, 4), height_ratios=(10, 1), sharex=True)
    begin = 0.5
    for i, (name, last) in enumerate(stages.items()):
        if i % 2:
            for part in (ax, strip):
                part.axvspan(begin, last + 0.5, color='0.93', zorder=0)
        ax.text((begin + last + 0.5) / 2, 4, name, ha='center', fontsize=9)
        begin = last + 0.5
    operations = np.arange(1, len(spoilt[1]) + 1)
    for (_, values), style in ((spoilt, {'color': 'black', 'marker': 'o', 'markersize': 3}),
                               (everywhere, {'color': '0.5', 'linewidth': 1.5})):
        ax.plot(operations, np.where(values > 1e-6, values, np.nan), **{'linewidth': 1, **style})
    equal = spoilt[1] <= 1e-6
    strip.plot(operations[equal], np.zeros(equal.sum()), '|', color='black', markersize=6)
    first = np.flatnonzero(spoilt[1] > level)[0]
    ax.annotate(f'{spoilt[0]}: first\nat operation {first + 1}', (first + 1, spoilt[1][first]),
                (first - 22, 0.12), arrowprops={**ARROW, 'shrinkB': 4}, va='center')
    gap = operations[first:][equal[first:]]
    if len(gap):
        low, high = gap[0] - 0.8, gap[-1] + 0.8
        strip.plot([low, low, high, high], [0.5, 0.85, 0.85, 0.5], color='black', linewidth=1)
        ax.text(gap.mean(), 2.3e-5, 'shortcut, still whole', ha='center', va='bottom', fontsize=9)
    ax.text(2, 2.5 * np.nanmax(everywhere[1][:25]), f'{everywhere[0]}: small, but everywhere',
            color='0.35')
    ax.axhline(level, color='black', linestyle=':', linewidth=1)
    ax.text(begin - 1, 0.85 * level, 'rounding lies below', ha='right', va='top', fontsize=9)
    ax.set(yscale='log', ylim=(2e-5, 3), ylabel='difference, as a share\nof the largest output')
    ax.set_title('The first difference names the layer', pad=20)
    ax.set_yticks([1e-4, 1e-3, 1e-2, 0.1, 1],
                  [*(f'10{power}' for power in ('⁻⁴', '⁻³', '⁻²', '⁻¹')), '1'])
    ax.minorticks_off()
    strip.set(ylim=(-1, 1), yticks=[0], yticklabels=['equal'], xlim=(0.5, begin),
              xlabel='operation, in order')
    for part in (ax, strip):
        part.grid(False)


def draw_halvings(pixels, halves):
    """Draw `pixels` (4, 4), one of each four in a blue frame, and two ways to halve them.

    halves: {(name, what has become of the picture): numbers (2, 2)}; the first one keeps the
    marked pixels. Numbers are black at 0 and white at the largest of `pixels`.
    """
    ax, = canvas(6.4, 3.1)

    def grid(left, top, numbers, marked=False):
        for row, column in np.ndindex(numbers.shape):
            kept, value = marked and row % 2 == column % 2 == 0, numbers[row, column]
            ax.add_patch(Rectangle((left + column, top - row - 1), 1, 1, zorder=3 if kept else 2,
                                   facecolor=str(value / pixels.max()), linewidth=3 if kept else 1,
                                   edgecolor='#56b4e9' if kept else '0.6'))
            ax.text(left + column + 0.5, top - row - 0.5, f'{value:g}', ha='center', va='center',
                    zorder=4, fontsize=11,
                    color='black' if value > 0.4 * pixels.max() else 'white')

    grid(0, 2, pixels, marked=True)
    ax.text(2, 2.35, 'a bright line', ha='center', fontsize=11)
    for middle, ((name, becomes), numbers) in zip((1.7, -1.7), halves.items(), strict=True):
        arrow(ax, (4.3, 0.4 * middle), (6.1, middle))
        grid(6.4, middle + 1, numbers)
        ax.text(8.7, middle + 0.4, name, va='center', fontsize=11)
        ax.text(8.7, middle - 0.4, becomes, va='center', fontsize=11, weight='bold')
    ax.set(xlim=(-0.2, 13.4), ylim=(-2.9, 2.9), aspect='equal')


def draw_maps(maps):
    """Draw the maps of a net from left to right: as high as their side, as wide as their channels.

    maps: {name: (channels, side)}, the side at most 28.
    """
    ax, = canvas(6.4, 2.9)
    left = behind = 0.
    for name, (channels, side) in maps.items():
        wide = 0.2 * channels
        middle = left + wide / 2
        ax.add_patch(Rectangle((left, -side / 2), wide, side, facecolor='0.88', edgecolor='black'))
        ax.text(middle, side / 2 + 1, channels if left else f'{channels} channels', ha='center')
        ax.text(middle, -16.5, f'{side} × {side}', ha='center', va='center')
        ax.text(middle, -19.5, name, ha='center', va='center')
        if left:
            arrow(ax, (behind + 0.3, 0), (left - 0.3, 0))
        behind = left + wide
        left = behind + max(5, 8.5 - wide)
    ax.set(xlim=(-4.5, left - 3), ylim=(-21, 17))


def draw_sorted_losses(ax, losses, cut=2):
    """Draw on `ax` the losses of images from the easiest to the hardest, up to `cut`; grey is the
    share of the images that lies below the mean."""
    share, mean = np.linspace(0, 100, len(losses)), losses.mean()
    below = 100 * (losses < mean).mean()
    ax.axvspan(0, below, color='0.88', zorder=0)
    ax.plot(share, np.sort(losses), color='black', linewidth=2)
    ax.axhline(mean, color='black', linestyle='--', linewidth=1)
    ax.text(1, mean + 0.05, f'mean loss, {mean:.2f}')
    ax.text(below / 2, cut / 2, f'{below:.0f} % of the images\nlie below the mean', ha='center',
            va='center', fontsize=11)
    ax.text(100 * (losses < 0.75 * cut).mean() - 1, 0.97 * cut, ha='right', va='top',
            s=f'up to {losses.max():.1f} ↑')
    ax.set(xlim=(0, 100), ylim=(0, cut), ylabel='loss',
           xlabel='share of the images (%), from the easiest to the hardest',
           title='Most images are easy; a few hard ones raise the mean')
    ax.grid(False)
