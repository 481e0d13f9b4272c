"""What notebook 07 defines, taken out of the stored notebook, and the nets that it loads."""
import ast

import utils  # before mxnet, for its threads

import numpy as np
import pytest
from mxnet import autograd, init, nd
from rules import ROOT

import resnet
from tools.notebook import code_cells, notebook_names, read

# The cells that it takes, by a line of each.
CELLS = ('NETS = ', 'def bare_shortcut(', 'class DenseLayer(', 'def input_gradients(',
         'def random_direction(')


@pytest.fixture(scope='module')
def names():
    return notebook_names('07_inside_a_resnet', CELLS)


def stored(name):
    return ROOT / 'records' / 'nets_07' / f'{name}.params'


def load(names, name):
    net = utils.init_net(resnet.cifar_net(*names['NETS'][name]), seed=0)
    net.load_parameters(str(stored(name)), ctx=names['ctx'], cast_dtype=True)
    return net


@pytest.fixture
def small_net(names):
    net = resnet.cifar_net(8, resnet.ShortcutBlock)
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0), ctx=names['ctx'])
    x = nd.random.uniform(shape=(16, 1, 14, 14), ctx=names['ctx'])
    net(x)
    return net, x, nd.array(np.arange(16) % 10, ctx=names['ctx'])


def test_stored_nets_are_small():
    files = list((ROOT / 'records' / 'nets_07').glob('*.params'))
    assert files and sum(path.stat().st_size for path in files) <= 5_000_000


@pytest.mark.parametrize('name', ['ResNet-56', 'ResNet-20', 'plain-56', 'plain-20'])
def test_stored_nets_load_and_classify(names, name):
    if not stored(name).exists():
        pytest.skip('deleted: the notebook then trains this net')
    net = load(names, name)
    assert all(p.data().dtype == np.float32 for p in net.collect_params().values())
    accuracy = utils.evaluate_accuracy(names['test_data'], net, names['ctx'])
    assert accuracy > (0.3 if name == 'plain-56' else 0.75)


@pytest.mark.parametrize('stride', [1, 2])
def test_bare_shortcut_is_a_block_whose_last_bn_is_zero(names, stride):
    block = resnet.ShortcutBlock(8 * stride, stride=stride)
    block.initialize()
    x = nd.relu(nd.random.normal(shape=(2, 8, 7, 7)))
    block(x)
    for parameter in (block.body[4].gamma, block.body[4].beta):
        parameter.set_data(nd.zeros(parameter.shape))
    assert np.array_equal(block(x).asnumpy(), names['bare_shortcut'](block, x).asnumpy())


def test_run_deletes_what_it_is_told_to(names, small_net):
    net, x, y = small_net
    names.update(x=x, y=y)
    assert names['block_positions'](net) == [3, 4, 5]
    without = names['bare_shortcut'](net[4], net[:4](x))
    for layer in net[5:]:
        without = layer(without)
    assert np.array_equal(names['run'](net, [4]), without.asnumpy())
    assert np.array_equal(names['run'](net), net(x).asnumpy())
    wrong = (without.argmax(axis=1) != y).mean().asscalar()
    assert names['error'](without.asnumpy()) == pytest.approx(100 * wrong)


def test_directions_are_filter_normalised(names, small_net):
    net, _, _ = small_net
    direction = names['random_direction'](net, np.random.RandomState(0))
    params = net.collect_params()
    moved = {name for name, p in params.items() if len(p.shape) > 1}
    assert set(direction) == moved  # neither BN nor a bias moves
    assert not any('batchnorm' in name or name.endswith('bias') for name in direction)
    for name, d in direction.items():
        filters, weights = (a.asnumpy().reshape(len(a), -1) for a in (d, params[name].data()))
        assert np.allclose(np.linalg.norm(filters, axis=1), np.linalg.norm(weights, axis=1),
                           rtol=1e-4)


@pytest.mark.parametrize('train_mode', [True, False])
def test_surface_at_the_centre_is_the_loss_and_the_net_is_left_alone(names, small_net, train_mode):
    net, x, y = small_net
    rng = np.random.RandomState(0)
    one, other = (names['random_direction'](net, rng) for _ in range(2))
    before = {name: p.data().asnumpy().copy() for name, p in net.collect_params().items()}
    with autograd.train_mode() if train_mode else autograd.predict_mode():
        expected = names['loss'](net(x), y).mean().asscalar()
    centre = names['loss_at'](net, x, y, [(0, one), (0, other)], train_mode)
    assert centre == pytest.approx(expected, rel=1e-6)
    away = names['loss_at'](net, x, y, [(0.5, one), (-0.5, other)], train_mode)
    assert abs(away - expected) > 1e-3
    for name, p in net.collect_params().items():
        assert np.array_equal(p.data().asnumpy(), before[name]), name


def test_moves_add_up(names, small_net):
    net, x, y = small_net
    one = names['random_direction'](net, np.random.RandomState(0))
    twice = names['loss_at'](net, x, y, [(0.1, one), (0.2, one)])
    assert twice == pytest.approx(names['loss_at'](net, x, y, [(0.3, one)]), rel=1e-4)


def test_gradients_that_agree_have_cosine_one(names):
    constant = np.tile(np.random.RandomState(0).normal(size=(1, 100)), (256, 1))
    assert names['cosines'](3 * constant) == pytest.approx(np.ones((256, 256)))


def test_white_noise_is_uncorrelated(names):
    noise = np.random.RandomState(0).normal(size=(256, 100))
    cosines = names['cosines'](noise)
    assert abs(np.diagonal(cosines, 4).mean()) < 0.05
    assert abs(cosines[np.triu_indices(256, 1)].mean()) < 0.05


def test_input_gradients_are_those_of_the_function(names):
    net = names['dense_net'](3, True, True, seed=0, width=20)
    a, b = np.random.RandomState(0).normal(size=(2, 100)) / 10
    t = np.linspace(-2, 2, 256)
    line = nd.array(a + t[:, None] * b)
    gradients = names['input_gradients'](net, line)
    assert gradients.shape == (256, 20)
    slopes = gradients @ net[0].weight.data().asnumpy() @ b
    values = net(line).asnumpy()[:, 0]  # prediction mode, as the slopes
    secants = np.diff(values) / np.diff(t)
    between = np.minimum(slopes[1:], slopes[:-1]), np.maximum(slopes[1:], slopes[:-1])
    slack = 1e-2 * np.abs(slopes).max()
    inside = (secants > between[0] - slack) & (secants < between[1] + slack)
    assert inside.mean() > 0.9  # a few have more than one kink between the points


def test_laws_hold_for_unrelated_inputs(names):
    """Notebook 07's first law, and that a shortcut slows the decay."""
    inputs = nd.array(np.random.RandomState(0).normal(size=(128, 100)) / 10)
    every_pair = np.triu_indices(128, 1)
    plain, residual = (np.mean([names['cosines'](names['input_gradients'](
        names['dense_net'](3, shortcut, True, seed), inputs))[every_pair].mean()
        for seed in range(3)]) for shortcut in (False, True))
    assert plain == pytest.approx(0.125, abs=0.05) and residual > 0.35


def test_untrained_net_is_where_training_began(names):
    """The weights that the notebook compares with are those that the stored net began as."""
    net = utils.init_net(resnet.cifar_net(*names['NETS']['ResNet-56']), seed=0)
    net(names['x'][:8])
    first = [n[0].weight.data().asnumpy().ravel() for n in (net, load(names, 'ResNet-56'))]
    assert np.corrcoef(first)[0, 1] > 0.9


def names_bound(source):
    """The names that a cell leaves bound for the cells behind it: by assignment or by a loop."""
    def bound(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                yield child.id
            if not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp,
                                      ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                yield from bound(child)
    return set(bound(ast.parse(source)))


def test_exercises_find_the_test_images_that_the_first_cell_took():
    assert names_bound('for x, y in a: pass') == {'x', 'y'}
    assert names_bound('def f():\n    x = 1\nz = [x for x in y]') == {'z'}
    cells = [cell.source.replace('%matplotlib inline', '')
             for cell in code_cells(read(ROOT / 'notebooks' / '07_inside_a_resnet.ipynb'))]
    for name in ('x', 'y', 'nets', 'untrained'):
        assert sum(name in names_bound(source) for source in cells) <= 1, name
