"""The dense nets of docs/static/explore/dense.js once more, in plain Python, to test that module.

A signal is a list of rows. The random numbers are the page's: numbers_of reads them.
"""
import math
import re
from operator import mul

BATCH, WIDTH = 64, 32
HE = math.sqrt(2 / WIDTH)


def numbers_of(page, blocks):
    """What a net of so many blocks begins with: signal, gradient, and weights as matrices."""
    numbers = page.evaluate('''async (count) => {
        const dense = await import('/_static/explore/dense.js');
        const weights = Array.from({length: count}, (_, number) => dense.matrix(number));
        return [dense.firstSignal(), dense.lastGradient(), ...weights].map((each) => [...each]);
    }''', 2 * blocks)
    return [[each[i:i + WIDTH] for i in range(0, len(each), WIDTH)] for each in numbers]


def columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def product(rows, turned):
    """rows times the transposed of `turned`."""
    return [[sum(map(mul, row, column)) for column in turned] for row in rows]


def plus(rows, factor, others):
    return [[a + factor * b for a, b in zip(*pair, strict=True)]
            for pair in zip(rows, others, strict=True)]


def times(rows, others):
    return [list(map(mul, *pair)) for pair in zip(rows, others, strict=True)]


def apply(word, x, weights, scale):
    """A layer's output, and the function that takes a gradient back through it."""
    if word == 'dense':
        scaled = [[scale * each for each in row] for row in next(weights)]
        return product(x, columns(scaled)), lambda g: product(g, scaled)
    if word == 'ReLU':
        slopes = [[float(each > 0) for each in row] for row in x]
        return times(x, slopes), lambda g: times(g, slopes)
    if word == 'tanh':
        out = [[math.tanh(each) for each in row] for row in x]
        return out, lambda g: times(g, [[1 - each ** 2 for each in row] for row in out])
    assert word == 'BN'
    normed, jacobians = zip(*map(normalise, columns(x)), strict=True)
    return columns(normed), lambda g: columns(
        [[sum(map(mul, row, column)) for row in jacobian]  # a symmetric matrix
         for jacobian, column in zip(jacobians, columns(g), strict=True)])


def normalise(feature):
    """One feature over the batch, normalised, and the whole matrix of derivatives."""
    mean = sum(feature) / BATCH
    deviation = math.sqrt(sum((each - mean) ** 2 for each in feature) / BATCH)
    normed = [(each - mean) / deviation for each in feature]
    return normed, [[((i == j) - (1 + normed[i] * normed[j]) / BATCH) / deviation
                     for j in range(BATCH)] for i in range(BATCH)]


def travel(numbers, blocks, branch, after='', factor=1., scale=HE):
    """Signals and gradients in front of each block and behind the last."""
    x, g, *weights = numbers
    weights = iter(weights)
    signals, way = [x], []
    for _ in range(blocks):
        out, backward = x, []
        for word in branch.split():
            out, back = apply(word, out, weights, scale)
            backward.append(back)
        out, behind = plus(out, factor, x), []
        for word in after.split():
            out, back = apply(word, out, weights, scale)
            behind.append(back)
        way.append((backward, behind))
        x = out
        signals.append(x)
    gradients = [g]
    for backward, behind in reversed(way):
        for back in reversed(behind):
            g = back(g)
        through = g
        for back in reversed(backward):
            through = back(through)
        g = plus(through, factor, g)
        gradients.insert(0, g)
    return signals, gradients


def mean_square(rows):
    return sum(each ** 2 for row in rows for each in row) / (BATCH * WIDTH)


def norm_ratio(rows, others):
    return math.sqrt(mean_square(rows) / mean_square(others))


def spoken_numbers(text):
    """The numbers in a text, such as 31.4, 33,000 and 1.6 · 10⁻¹⁰."""
    plain = str.maketrans('⁻⁰¹²³⁴⁵⁶⁷⁸⁹', '-0123456789')
    found = re.findall(r'(\d+(?:,\d{3})*(?:\.\d+)?)(?:\s·\s10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?', text)
    return [float(digits.replace(',', '')) * 10 ** int(power.translate(plain) or 0)
            for digits, power in found]
