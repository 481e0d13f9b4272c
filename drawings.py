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
ARROW = {'arrowstyle': '->', 'color': 'black', 'linewidth': 1.2, 'shrinkA': 0, 'shrinkB': 0}


def canvas(width, height, columns=1, rows=1):
    """A figure of empty axes; width and height in inches. Returns the axes, a list, row by row."""
    _, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for ax in axes.flat:
        ax.axis('off')
    return list(axes.flat)


def box(ax, x, y, text, width=2., height=0.62, size=10):
    """A box with rounded corners around (x, y), grey if there are weights in it."""
    white = not any(name in text for name in ('conv', '3×3', 'dense', 'F_')) or 'pool' in text
    ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, zorder=3,
                                boxstyle='round,pad=0,rounding_size=0.12', edgecolor='black',
                                facecolor='white' if white else '0.88', linewidth=1))
    ax.text(x, y, text, ha='center', va='center', fontsize=size, zorder=4)


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


def draw_block(ax, layers, shortcut='identity', after=('ReLU',), title=''):
    """Draw a residual block on `ax` from top to bottom: boxes, an addition, and F in a bracket.

    layers: the names on the residual branch, after: those behind the addition. shortcut: what
    stands beside its line, None for a plain block, which has neither line nor addition.
    """
    names = [*layers, *([] if shortcut is None else ['+']), *after]
    ax.text(0, 0.62, '$x$', ha='center', va='center', fontsize=13)
    above = 0.4
    for row, name in enumerate(names, start=1):
        arrow(ax, (0, above), (0, -row + (0.26 if name == '+' else 0.31)))
        above = -row - (0.26 if name == '+' else 0.31)
        if name == '+':
            plus(ax, 0, -row)
        else:
            box(ax, 0, -row, name)
    arrow(ax, (0, above), (0, -len(names) - 0.8))
    if shortcut is not None:
        end = len(layers) + 1
        line = {'color': SHORTCUT, 'linewidth': 2.2}
        ax.plot([0, 1.5, 1.5], [0.05, 0.05, -end], **line)
        arrow(ax, (1.5, -end), (0.24, -end), **line)
        ax.text(1.62, -end / 2, shortcut, color=SHORTCUT, va='center', fontsize=10)
        bracket(ax, -1.25, -end + 0.6, -0.6, '$F(x)$')
    ax.set(xlim=(-2.4, 2.9), ylim=(-len(names) - 1, 1), title=title)


def draw_shortcut(ax, on_shortcut='', on_branch='', title=''):
    """Draw on `ax` what x meets on its two ways to the addition, from top to bottom.

    on_shortcut, on_branch: what stands in a box of its own on either way, '' for nothing.
    """
    line = {'color': SHORTCUT, 'linewidth': 2.2}
    ax.text(-1.1, 0.35, '$x$', ha='center', va='center', fontsize=12)
    arrow(ax, (-1.1, 0.1), (-1.1, -2.75))
    box(ax, -1.1, -0.95, '2 conv: $f$', width=1.9)
    ax.plot([-1.1, 1.1, 1.1], [-0.2, -0.2, -3], **line)
    arrow(ax, (1.1, -3), (-0.85, -3), **line)
    for x, text in ((1.1, on_shortcut), (-1.1, on_branch)):
        if text:
            box(ax, x, -2, text, width=1.9, height=0.4 + 0.4 * len(text.splitlines()))
    plus(ax, -1.1, -3)
    arrow(ax, (-1.1, -3.25), (-1.1, -3.75))
    ax.set(xlim=(-2.2, 2.2), ylim=(-3.8, 0.6))
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
    for x, text in ((2, '2 channels, 4 × 4'), (8.6, 'every other pixel'), (14.4, '4 channels,')):
        ax.text(x, 1.9, text, ha='center', fontsize=10)
    ax.text(14.4, 1.0, '2 × 2', ha='center', fontsize=10)
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
    ax.set(xlim=(-0.4, 12.2), ylim=(0.6, 11.6))


def draw_net(ax, parts, title='', notes=True):
    """Draw a whole net on `ax` from top to bottom, each part in a band of its own.

    parts: [(name, note, blocks)], a block being (layers, shortcut): the names of its layers, and
    'identity', 'projection', '' (nothing, but with room for it, so that a plain net stands level
    with its residual twin) or None for what passes them by. Projections are dotted, as in He 2015,
    figure 3, and a legend would name both. notes: write name and note of each part beside it.
    """
    y, above = 0., None
    for index, (name, note, blocks) in enumerate(parts):
        top = y + 0.55
        for layers, shortcut in blocks:
            start = y + 0.5
            for text in layers:
                if above is not None:
                    arrow(ax, (0, above), (0, y + 0.3))
                box(ax, 0, y, text, width=2.5, height=0.6, size=9)
                above = y - 0.3
                y -= 1
            if shortcut is not None:
                y -= 0.67
            if shortcut:
                join = y + 0.95
                arrow(ax, (0, above), (0, join + 0.15))
                line = {'color': SHORTCUT, 'linewidth': 2,
                        'linestyle': ':' if shortcut == 'projection' else '-'}
                known = shortcut in ax.get_legend_handles_labels()[1]
                ax.plot([0, 1.6, 1.6, 0.3], [start, start, join, join], **line,
                        label='_' if known else shortcut)
                arrow(ax, (0.45, join), (0.14, join), color=SHORTCUT, linewidth=2)
                plus(ax, 0, join, circle=8, size=9)
                above = join - 0.13
        ax.axhspan(y + 0.55, top, color='0.955' if index % 2 else 'white', zorder=0, linewidth=0)
        if notes:
            ax.text(-1.6, (top + y + 0.55) / 2, f'$\\bf{{{name.replace(" ", "~")}}}$\n{note}',
                    ha='right', va='center', fontsize=9, linespacing=1.4)
    ax.set(ylim=(y + 0.4, 0.9), xlim=(-5.2 if notes else -1.9, 2), title=title)


def animate_backward(curves, alt):
    """An animation, for display in a notebook: gradient norms appear from the last layer back.

    curves: {label: (line style, norms)}, the norms of equally many layers, first layer first.
    alt: what the animation shows, in words. Needs no kernel afterwards.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.4), dpi=80)
    depth = max(len(norms) for _, norms in curves.values())
    lines = {label: ax.semilogy([], [], label=label, marker='o', markersize=3, **style)[0]
             for label, (style, _) in curves.items()}
    heads = {label: ax.plot([], [], marker='o', markersize=9, color=style['color'])[0]
             for label, (style, _) in curves.items()}
    everything = np.concatenate([norms for _, norms in curves.values()])
    ax.set(xlim=(0, depth + 1), ylim=(everything.min() / 2, everything.max() * 2),
           xlabel='convolution (the gradient comes from the right)', ylabel='gradient norm')
    ax.legend()

    def frame(number):
        first = max(0, depth - 1 - 2 * number)
        for label, (_, norms) in curves.items():
            lines[label].set_data(range(first + 1, depth + 1), norms[first:])
            heads[label].set_data([first + 1], [norms[first]])

    frames = [*range(depth // 2 + 1), *[depth // 2] * 16]  # it rests at the end
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'backward.gif')
        FuncAnimation(fig, frame, frames, interval=120).save(path, PillowWriter(fps=8))
        data = base64.b64encode(path.read_bytes()).decode()
    plt.close(fig)
    return HTML(f'<img src="data:image/gif;base64,{data}" alt="{alt}">')


def draw_depths(ax, nets, name_stages=False):
    """Draw nets on `ax` as rows of blocks along an axis of layers, each stage in its own shade.

    nets: {name: (layers in a block, (blocks in each stage))}. At most four stages. Stem and head,
    black, have one layer.
    name_stages: write the stages' names below the last row.
    """
    shades, edge = ('white', '0.86', '0.68', '0.48'), {'edgecolor': 'black', 'linewidth': 0.6}
    for row, (layers, stages) in enumerate(nets.values()):
        first, middles = 1, [0.5]
        for shade, blocks in zip(shades, stages, strict=False):
            behind = first + layers * blocks
            ax.barh([row] * blocks, layers, 0.5, range(first, behind, layers), color=shade, **edge)
            middles.append((first + behind) / 2)
            ax.text(middles[-1], row - 0.32, blocks, ha='center', fontsize=11)
            first = behind
        ax.barh([row, row], 1, 0.5, [0, first], color='black')
    if name_stages:
        names = 'stem', *(f'stage {n}' for n in range(1, len(stages) + 1)), 'head'
        for x, name in zip([*middles, first + 0.5], names, strict=True):
            ax.text(x, row + 0.34, name, ha='center', va='top', fontsize=10)
    ends = [2 + layers * sum(stages) for layers, stages in nets.values()]
    ax.set(xlim=(-0.03 * max(ends), 1.02 * max(ends)), xticks=ends,
           ylim=(len(nets) - (0.25 if name_stages else 0.6), -0.75))
    ax.set_yticks(range(len(nets)), nets)
    ax.tick_params(labelsize=11)
    ax.grid(False)


def draw_channels(ax, convolutions, title=''):
    """Draw a residual block on `ax` from top to bottom, each tensor as wide as it has channels.

    convolutions: those of the branch, [(side of the kernel, channels in, channels out)].
    """
    y, line = 0., {'color': SHORTCUT, 'linewidth': 2.2}

    def tensor(channels):
        half = channels / 256
        ax.plot([-half, half], [y, y], color='black', linewidth=2.5, solid_capstyle='butt')
        ax.text(-half - 0.1, y, channels, ha='right', va='center', fontsize=10)
        return half

    above = wide = tensor(convolutions[0][1])
    for number, (side, _, after) in enumerate(convolutions, start=1):
        below = after / 256
        corners = (-above, y - 0.15), (above, y - 0.15), (below, y - 1), (-below, y - 1)
        ax.add_patch(Polygon(corners, facecolor='0.88', edgecolor='black', linewidth=1))
        ax.text(0, y - 0.58, f'{side}×{side}\nconv', ha='center', va='center', fontsize=9)
        ax.text(0, y - 1.2, 'BN' if number == len(convolutions) else 'BN, ReLU', ha='center',
                va='center', fontsize=9)
        y -= 1.4
        above = tensor(after)
    arrow(ax, (0, y - 0.05), (0, y - 0.3))
    plus(ax, 0, y - 0.52)
    ax.plot([wide, 1.4, 1.4], [0, 0, y - 0.52], **line)
    arrow(ax, (1.4, y - 0.52), (0.2, y - 0.52), **line)
    arrow(ax, (0, y - 0.74), (0, y - 1))
    ax.text(0, y - 1.2, 'ReLU', ha='center', va='center', fontsize=9)
    ax.set(xlim=(-1.75, 1.5), ylim=(-5.6, 0.3))
    ax.set_title(title, fontsize=10)


def draw_module(ax, branches, behind=()):
    """Draw an Inception module on `ax` from top to bottom: branches of boxes, then `behind`.

    branches: for each the names of its one or two layers. behind: what follows the concatenation;
    at a '+' a shortcut from x arrives.
    """
    ax.text(0, 0.5, '$x$', ha='center', va='center', fontsize=13)
    for x, branch in zip(np.linspace(-4.2, 4.2, len(branches)), branches, strict=True):
        ax.plot([0, x, x, 0], [0.2, -0.6, -3.2, -3.9], color='black', linewidth=1.2)
        for y, text in zip((-1.9,) if len(branch) == 1 else (-1.3, -2.5), branch, strict=True):
            box(ax, x, y, text, width=2.6, size=9)
    box(ax, 0, -3.9, 'concat')
    y = -3.9
    for text in behind:
        arrow(ax, (0, y - 0.31), (0, y - 0.82))
        y -= 1.1
        if text == '+':
            line = {'color': SHORTCUT, 'linewidth': 2.2}
            ax.plot([0.3, 5.9, 5.9], [0.5, 0.5, y], **line)
            arrow(ax, (5.9, y), (0.3, y), **line)
            plus(ax, 0, y)
        else:
            box(ax, 0, y, text, width=2.8)
    arrow(ax, (0, y - 0.31), (0, y - 0.9))
    ax.set(xlim=(-5.8, 6.1), ylim=(y - 1, 0.9))


def draw_xception_steps():
    """Draw how an Inception module turns into a separable convolution, in four panels."""
    steps = {'1  three branches': ((3, '1×1'), (3, '3×3')),
             '2  one 1×1, three segments': ((1, '1×1'), (3, '3×3')),
             '3  a segment for each channel': ((1, '1×1'), (6, '3×3')),
             '4  the other way round': ((6, '3×3'), (1, '1×1'))}

    def channels(ax, y):
        for x in range(6):
            ax.add_patch(Rectangle((x - 2.85, y - 0.2), 0.7, 0.4, facecolor='white',
                                   edgecolor='black', linewidth=1, zorder=3))

    for ax, (title, rows) in zip(canvas(6.4, 5.4, 2, rows=2), steps.items(), strict=True):
        channels(ax, 0)
        for level, (parts, text) in enumerate(rows):
            y, width = -1.25 - 2 * level, 6 / parts
            for x in np.linspace(width / 2 - 3, 3 - width / 2, parts):
                sees_all = text == '1×1'
                arrow(ax, (0 if sees_all else x, y + 1.02), (x, y + 0.36))
                box(ax, x, y, f'{text} conv' if parts < 6 else text, width=width - 0.2,
                    height=0.7, size=9)
                arrow(ax, (x, y - 0.36), (x, y - 0.76))
            channels(ax, y - 1)
        ax.set(xlim=(-3.2, 3.2), ylim=(-4.6, 0.4))
        ax.set_title(title, fontsize=10)


def draw_servers_and_ring(workers=4):
    """Draw, side by side, workers around a parameter server, and workers in a ring."""
    left, right = canvas(6.4, 3.6, columns=2)
    angles = np.pi / 2 - 2 * np.pi * np.arange(workers) / workers
    places = 2.9 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    box(left, 0, 0, 'server', width=1.5, height=0.8)
    for rank, (place, following) in enumerate(zip(places, np.roll(places, -1, axis=0),
                                                  strict=True)):
        side = 0.07 * np.array([-place[1], place[0]])  # to the left of the way to the server
        arrow(left, 0.66 * place + side, 0.32 * place + side)
        arrow(left, 0.32 * place - side, 0.66 * place - side, linestyle='--')
        way = following - place
        arrow(right, place + 0.3 * way, place + 0.7 * way)
        for ax in (left, right):
            box(ax, *place, f'worker {rank}', width=1.7)
    for ax, title in ((left, 'parameter server'), (right, 'ring all-reduce')):
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
        ax.text(7.5, y + 1, name, ha='center', va='center', fontsize=10)
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
        ax.text(left + 4, 4.6, f'stage {stage + 1}', ha='center', fontsize=10)
        for first, last, text in ((0, 2, 'copied'), (3, 8, 'pass on')):
            ends = [left + first - 0.3, left + last + 0.3]
            ax.plot(ends, [-0.85, -0.85], color='black', linewidth=1)
            ax.text(np.mean(ends), -1.15, f'{last - first + 1}\n{text}', ha='center', va='top',
                    fontsize=9)
    for x, text in ((0, 'stem'), (32, 'head')):
        ax.text(x, -1.15, text, ha='center', va='top', fontsize=9)
    ax.set(xlim=(-1.4, 34), ylim=(-2.6, 5.1))


def draw_work_and_weights():
    """Draw ResNet-18's convolutions, stage by stage: work stays level, weights grow fourfold.

    Above, a box is as high as the image's side and as wide as there are channels; below, a square
    is as wide, so that the areas are to each other as the weights.
    """
    ax, = canvas(6.4, 4)
    # Name, side (6 for n), width (1 for 64 channels), labels. The stem is as wide as makes its area
    # right: 7 x 7 weights instead of 3 x 3, and 3 channels come in instead of 64.
    stages = [(f'stage {i + 1}', 6 / 2 ** i, 2 ** i, ('$n$', '$n/2$', '$n/4$', '$n/8$')[i],
               f'{64 * 2 ** i}', f'× {4 ** i}') for i in range(4)]
    left = 0
    for name, side, width, *labels in [('stem', 12, 0.5, '$2n$', '3 → 64', '× ¼'), *stages]:
        boxes = 1 if name == 'stem' else 2
        middle = left + (width + 0.3) * boxes / 2 - 0.15
        places = [(left + i * (width + 0.3), 0, side) for i in range(boxes)]
        for x, y, height in (*places, (middle - width / 2, -6.8 - width, width)):
            ax.add_patch(Rectangle((x, y), width, height, linewidth=1, edgecolor='black',
                                   facecolor='0.85' if y == 0 else '0.6'))
        ax.text(middle, side + 0.4, name, ha='center', fontsize=10)
        for y, text in zip((-1, -2.3, -6), labels, strict=True):
            ax.text(middle, y, text, ha='center', va='center', fontsize=10)
        left += boxes * width + 2.2
    for y, text in ((3, 'work'), (-1, 'side'), (-2.3, 'channels'), (-6, 'weights')):
        ax.text(-2.2, y, text, ha='right', va='center', fontsize=10)
    ax.set(xlim=(-6, left - 1.6), ylim=(-15, 13.5), aspect='equal')
