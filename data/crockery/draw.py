"""Draws the pictures of this folder: crockery, 64 pixels a side, each different.

    .venv/bin/python data/crockery/draw.py FOLDER

With another --seed it draws others of the same kind. It needs NumPy and Pillow only.

Each is a body of revolution: a profile turned around an upright axis, lit from one side, on a
table in front of a wall. Colours, light, pose, background and noise are random and the same for
all classes, so that the shape alone tells them apart.
"""
import argparse
import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

SIDE, SCALE = 64, 3  # drawn three times as large, then made smaller
COUNTS = {'bottle': 400, 'bowl': 200, 'mug': 300, 'vase': 100}
# Half the width of the body at heights from the bottom (0) to the top (1), for each class.
PROFILES = {'bottle': [(0, .21), (.05, .23), (.55, .23), (.7, .09), (.97, .08), (1, .1)],
            'bowl': [(0, .2), (.06, .18), (.12, .2), (.3, .4), (.48, .47), (.5, .48)],
            'mug': [(0, .24), (.05, .27), (.6, .27), (.62, .27)],
            'vase': [(0, .17), (.1, .22), (.4, .32), (.65, .2), (.85, .12), (1, .22)]}


def colour(random, low=0.25, high=0.95):
    """A random colour, as three numbers from 0 to 1."""
    return np.array(colorsys.hsv_to_rgb(random.rand(), random.uniform(0.05, 0.8),
                                        random.uniform(low, high)))


def background(u, v, horizon, random):
    """Wall, table and clutter, lit unevenly: float colours of shape (side, side, 3)."""
    image = np.where((v > horizon)[..., None], colour(random), colour(random))
    image = image * (1 + random.uniform(-0.4, 0.4) * u + random.uniform(-0.3, 0.3) * v)[..., None]
    for _ in range(random.randint(0, 4)):
        x, y, w, h = random.uniform((-0.6, 0, 0.02, 0.02), (0.4, 1, 0.35, 0.35))
        image[(u > x) & (u < x + w) & (v > y) & (v < y + h)] = colour(random)
    return image


def put(image, kind, s, t, random):
    """Puts one piece of crockery into the image; s and t count from its foot, in its heights."""
    heights, widths = np.array(PROFILES[kind]).T
    widths = widths * random.uniform(0.85, 1.15)  # slim or stout
    half, foot, rim, top = np.interp(t, heights, widths), widths[0], widths[-1], heights[-1]
    tilt = random.uniform(0.15, 0.3)  # from how far above one looks: rim and foot are ellipses
    edge = tilt * foot * (1 - np.sqrt(np.clip(1 - (s / foot) ** 2, 0, 1)))
    body = (t > edge) & (t < top) & (abs(s) < half)
    light = random.uniform(-0.7, 0.7)
    away = np.clip(s / half, -1, 1) - light
    shade = 0.55 + 0.6 * np.sqrt(np.clip(1 - away ** 2, 0, 1))[..., None]
    paint = colour(random)
    image[(s - 0.25 * np.sign(-light)) ** 2 / 0.12 + t ** 2 / 0.006 < 1] *= 0.6  # a shadow
    if kind == 'mug':
        ring = np.hypot((s - random.choice((-1, 1)) * 1.04 * foot) / 0.8, t - 0.33)
        image[(ring > 0.11) & (ring < 0.18)] = 0.8 * paint
    image[body] = (paint * shade)[body]
    if random.rand() < 0.5:  # a painted stripe
        low = random.uniform(0.1, 0.4)
        stripe = body & (t > low) & (t < low + random.uniform(0.05, 0.2))
        image[stripe] = (colour(random) * shade)[stripe]
    image[(s / rim) ** 2 + ((t - top) / (tilt * rim)) ** 2 < 1] = 0.45 * paint


def draw(kind, random):
    """One picture of a class, a Pillow image of SIDE x SIDE pixels; random: a RandomState."""
    side = SIDE * SCALE
    v, u = np.mgrid[1:0:side * 1j, -0.5:0.5:side * 1j]  # v upwards, u to the right
    horizon = random.uniform(0.25, 0.5)
    image = background(u, v, horizon, random)
    size, lean = random.uniform(0.55, 0.85), random.uniform(-0.15, 0.15)
    foot = random.uniform(0.04, min(horizon, 0.95 - size * 0.9))
    left = random.uniform(-0.12, 0.12)
    put(image, kind, (u - left - lean * (v - foot)) / size, (v - foot) / size, random)
    picture = Image.fromarray(np.uint8(255 * np.clip(image, 0, 1)))
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 2)))
    picture = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    noise = random.normal(0, random.uniform(2, 14), size=(SIDE, SIDE, 3))
    return Image.fromarray(np.uint8(np.clip(np.asarray(picture) + noise, 0, 255)))


def draw_kind(folder, kind, count, seed=0):
    """The first `count` pictures of a class, as JPEG files in folder/kind."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState([seed, *kind.encode()])
    for i in range(count):
        draw(kind, random).save(folder / kind / f'{kind}_{i:03}.jpg', quality=85)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', type=Path, help='gets a sub-folder of JPEG files for each class')
    parser.add_argument('--seed', type=int, default=0, help='0, the default: the stored pictures')
    options = parser.parse_args()
    for kind, count in COUNTS.items():
        draw_kind(options.folder, kind, count, options.seed)


if __name__ == '__main__':
    main()
