"""dense.js against the same in plain Python (dense_net.py), and that against differences."""
import math
import random

import dense_net
import pytest
from dense_net import BATCH, HE, WIDTH
from explorables import page_of

# (branch, after, factor, scale) of the blocks of all three explorables.
BLOCKS = [('dense BN ReLU dense BN', 'ReLU', 0, HE), ('dense BN ReLU dense BN', 'ReLU', 1, HE),
          ('dense ReLU dense', 'ReLU', 0, 0.8 * HE), ('dense ReLU dense', 'ReLU', 1, 1.5 * HE),
          ('dense BN ReLU dense', 'BN ReLU', 1, HE), ('dense BN ReLU dense BN ReLU', '', 1, HE),
          ('ReLU dense BN ReLU dense BN', '', 1, HE), ('BN ReLU dense BN ReLU dense', '', 1, HE),
          ('dense tanh', '', 0.9, 0.5 / math.sqrt(WIDTH))]

RAW = '''async ([count, branch, after, factor, scale]) => {
    const dense = await import('/_static/explore/dense.js');
    const blocks = dense.net(count, {branch, after, factor, scale});
    const signals = [dense.firstSignal()], gradients = [dense.lastGradient()];
    for (const block of blocks) signals.push(block.forward(signals.at(-1)));
    for (const block of [...blocks].reverse()) gradients.unshift(block.backward(gradients[0]));
    return {raw: [signals, gradients].map((all) => all.map((each) => [...each])),
            mean: [dense.forward(blocks), dense.backward(blocks)]};
}'''


@pytest.fixture(scope='module')
def page(site):
    with site.visit(page_of('02_residual_block')) as visit:
        yield visit.page


def flat(rows):
    return [each for row in rows for each in row]


def test_random_numbers_are_normal_and_independent(page):
    matrices = [flat(each) for each in dense_net.numbers_of(page, 50)]
    everything = [each for matrix in matrices for each in matrix]
    moments = [sum(each ** k for each in everything) / len(everything) for k in range(1, 5)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.05)
    assert sum(abs(each) < 1 for each in everything) / len(everything) == pytest.approx(0.683,
                                                                                        abs=0.01)
    for one, other in zip(matrices, matrices[1:], strict=False):
        pairs = list(zip(one, other, strict=False)) + list(zip(one, one[1:], strict=False))
        assert abs(sum(a * b for a, b in pairs) / len(pairs)) < 0.08
    assert matrices == [flat(each) for each in dense_net.numbers_of(page, 50)]


@pytest.mark.parametrize(('branch', 'after', 'factor', 'scale'), BLOCKS)
def test_signal_and_gradient_are_those_of_plain_python(page, branch, after, factor, scale):
    found = page.evaluate(RAW, [3, branch, after, factor, scale])
    wanted = dense_net.travel(dense_net.numbers_of(page, 3), 3, branch, after, factor, scale)
    for raw, mean, rows in zip(found['raw'], found['mean'], wanted, strict=True):
        assert mean == pytest.approx([dense_net.mean_square(each) for each in rows])
        for each, same in zip(raw, rows, strict=True):
            assert each == pytest.approx(flat(same), abs=1e-9)


@pytest.mark.parametrize(('branch', 'after', 'factor', 'scale'), BLOCKS)
def test_gradient_is_what_differences_say(page, branch, after, factor, scale):
    gradient = page.evaluate(RAW, [2, branch, after, factor, scale])['raw'][1]
    x, last, *weights = dense_net.numbers_of(page, 2)
    draw = random.Random(0)
    way = [[draw.gauss(0, 1) for _ in range(WIDTH)] for _ in range(BATCH)]

    def loss(step):
        numbers = [dense_net.plus(x, step, way), last, *weights]
        out = dense_net.travel(numbers, 2, branch, after, factor, scale)[0][-1]
        return sum(a * b for a, b in zip(flat(out), flat(last), strict=True))

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    along = sum(a * b for a, b in zip(gradient[0], flat(way), strict=True))
    assert along == pytest.approx(slope, rel=1e-3)
