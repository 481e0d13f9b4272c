"""What the hidden tests share: reading a student's layers, and the references in plain functions.

Never released. survive.py puts this folder on the path of the kernels that autograde. A test
finds a student's layers by their kernels and by the order in which they *run*, so names, the
order of creation, and `Block` or `HybridBlock` are the student's choice. The references know
strides and padding themselves; from the student's layers they take only the numbers.

A message says what was expected, what was found, and where to read. None says what to write.
"""
import builtins
import inspect
import re
import warnings
from collections import namedtuple
from types import FunctionType

import numpy as np
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn

Call = namedtuple('Call', 'layer input output')  # one run of a layer, with copies of its arrays


def run_test(test):
    """Runs a hidden test, a function whose parameters are what it wants of the student.

    All other names in it are Python's, and this module's np, nd, autograd and nn: nothing that a
    student calls `abs` or `np` is in its way. Where a test fails, it also says where to read: the
    last sentence of its docstring.
    """
    student = test.__globals__
    read = re.search(r'Read \d\d, section \d.*', test.__doc__, re.DOTALL).group()
    read = ' '.join(read.split())
    if missing := [name for name in inspect.signature(test).parameters if name not in student]:
        raise NameError(f'expected a definition of {missing[0]}, found none. {read}')
    names = {'__builtins__': builtins, 'np': np, 'nd': nd, 'autograd': autograd, 'nn': nn}
    clean = FunctionType(test.__code__, names, test.__name__)
    try:
        clean(*(student[name] for name in inspect.signature(test).parameters))
    except AssertionError as error:
        error.args = (f'{error}. {read}',)
        raise
    except Exception as error:  # of the student's code, whose own message stays
        error.add_note(f'Expected was a result, found was this {type(error).__name__}. {read}')
        raise


def random(*shape):
    """Numbers of both signs, of the given shape, the same at every call."""
    return nd.array(np.random.RandomState(0).normal(size=shape))


AXES = {2: ('row', 'column'), 4: ('image', 'channel', 'row', 'column')}


def likeness(found, expected, bound):
    """In words, how what was found is like what was expected, if it is in a simple way."""
    def same(a, b):
        return np.abs(a - b).max() < bound

    factor = (found * expected).sum() / max((expected ** 2).sum(), 1e-12)
    shift = (found - expected).mean()
    channels = [np.abs(f - e).max() < bound for f, e in
                zip(np.moveaxis(found, 1, 0), np.moveaxis(expected, 1, 0), strict=True)
                ] if found.ndim == 4 else []
    cases = (
        (not np.isfinite(found).all(), 'not all numbers found are finite'),
        (same(found, 0), 'all numbers found are 0'),
        (same(found, -expected), 'only the signs are wrong'),
        (same(found, factor * expected), f'all are {factor:.3g} times the expected ones'),
        (same(found, expected + shift), f'all differ by the same {shift:.3g}'),
        (same(found, np.maximum(expected, 0)), '0 is found where a negative number is expected'),
        (same(np.maximum(found, 0), expected), 'negative numbers are found where 0 is expected'),
        (any(channels), f'{sum(channels)} of {len(channels)} channels are right'))
    for true, words in cases:
        if true:
            return words
    varied = found.std() > 0 and expected.std() > 0
    alike = np.corrcoef(found.ravel(), expected.ravel())[0, 1] if varied else 0
    return (f'standard deviation expected {expected.std():.3g}, found {found.std():.3g}, '
            f'correlation {alike:.2f}')


def assert_close(found, expected, what, tolerance=1e-3):
    """Both arrays have one shape, and no number deviates by more than the tolerance."""
    assert hasattr(found, 'asnumpy'), f'{what}: expected an NDArray, found {type(found).__name__}'
    assert found.shape == expected.shape, (
        f'{what}: expected the shape {expected.shape}, found {found.shape}')
    found, expected = found.asnumpy(), expected.asnumpy()
    bound = tolerance * max(1., np.abs(expected).max())
    deviation = np.nan_to_num(np.abs(found - expected), nan=np.inf, posinf=np.inf)
    wrong = deviation >= bound
    if not wrong.any():
        return
    place = np.unravel_index(deviation.argmax(), deviation.shape)
    names = AXES.get(found.ndim, [f'axis {axis}' for axis in range(found.ndim)])
    where = ', '.join(f'{name} {i}' for name, i in zip(names, place, strict=True))
    raise AssertionError(
        f'{what}: {wrong.sum():,} of {wrong.size:,} numbers differ, most of all at {where}: '
        f'expected {expected[place]:.4g}, found {found[place]:.4g}; '
        f'{likeness(found, expected, bound)}')


# ---------------------------------------------------------------------------------------------
# Reading a student's block


def start(block, x):
    """Initialises the block and lets x pass, so that all shapes are known. Returns the block."""
    block.initialize(init.Zero(), force_reinit=True)  # the quickest
    with warnings.catch_warnings():  # of hybridize, where a Block holds HybridBlocks
        warnings.simplefilter('ignore')
        block.hybridize(False)  # a hybridized net calls no hooks
    block(x)
    return block


def randomise(block, x):
    """As start, then random numbers for every parameter: γ, β and running statistics too."""
    start(block, x)
    rng = np.random.default_rng(1)
    for name, p in sorted(block.collect_params().items()):
        if name.endswith(('gamma', 'var')):
            value = rng.uniform(0.5, 1.5, p.shape)
        elif name.endswith(('beta', 'mean', 'bias')):
            value = rng.normal(0, 0.5, p.shape)
        else:
            deviation = (2 / np.prod(p.shape[1:])) ** 0.5  # He's
            value = deviation * rng.standard_normal(p.shape, dtype='float32')
        p.set_data(nd.array(value))
    return block


def count(block):
    """How many numbers training may change; running statistics are not among them."""
    return sum(int(np.prod(p.shape)) for p in block.collect_params().values()
               if p.grad_req != 'null')


def run(block, x):
    """The runs of all layers that have no layers inside, in the order in which they run."""
    calls, handles, seen = [], [], set()

    def attach(layer):
        if id(layer) not in seen and not layer._children:
            handles.append(layer.register_forward_hook(
                lambda layer, inputs, output: calls.append(
                    Call(layer, inputs[0].copy(), output.copy()))))
        seen.add(id(layer))

    block.apply(attach)
    block(x)
    for handle in handles:
        handle.detach()
    return calls


def convolutions(calls, kernel=None):
    """The runs of convolutions, all or those with one size of kernel."""
    return [call for call in calls if isinstance(call.layer, nn.Conv2D)
            and kernel in (None, call.layer.weight.shape[-1])]


def batch_norms(calls):
    """The runs of BN layers."""
    return [call for call in calls if isinstance(call.layer, nn.BatchNorm)]


def take(calls, number, what):
    """The layers of the runs, which must be this many and different ones."""
    layers = [call.layer for call in calls]
    assert len(layers) == number, f'expected {number} × {what}, found {len(layers)}'
    different = len({id(layer) for layer in layers})
    assert different == number, (
        f'expected {number} × {what}, each with its own parameters, found {different}: one does '
        'the work of two')
    return layers


def behind(calls, call):
    """The BN that takes a convolution's output, by its numbers: it may pass through nd.identity."""
    found = [c.layer for c in batch_norms(calls)
             if np.array_equal(c.input.asnumpy(), call.output.asnumpy())]
    kernel = call.layer.weight.shape[-1]
    assert found, (f'expected an nn.BatchNorm that takes what a {kernel} × {kernel} convolution '
                   'makes, found none')
    return found[0]


# ---------------------------------------------------------------------------------------------
# References


def conv(x, layer, stride=1):
    """A convolution with a layer's numbers, padded so that stride 1 keeps the image's size."""
    weight = layer.weight.data()
    numbers = [weight] if layer.bias is None else [weight, layer.bias.data()]
    size = weight.shape[-1]
    return nd.Convolution(x, *numbers, num_filter=weight.shape[0], kernel=(size, size),
                          stride=(stride, stride), pad=(size // 2, size // 2),
                          no_bias=layer.bias is None)


def bn(x, layer):
    """BN with a layer's numbers; batch or running statistics as the mode says. Moves none."""
    statistics = [p.data().copy() for p in (layer.running_mean, layer.running_var)]
    return nd.BatchNorm(x, layer.gamma.data(), layer.beta.data(), *statistics, eps=1e-5,
                        fix_gamma=False)


def residual(calls):
    """The lesson's block (notebook 02; He 2015, Fig. 2), as a function of x."""
    conv1, conv2 = take(convolutions(calls, 3), 2, '3 × 3 convolution')
    bn1, bn2 = take(batch_norms(calls), 2, 'nn.BatchNorm')
    projection = take(convolutions(calls, 1), len(convolutions(calls, 1)), '1 × 1 convolution')
    stride = 2 if projection else 1

    def function(x):
        out = nd.relu(bn(conv(x, conv1, stride), bn1))
        return nd.relu(bn(conv(out, conv2), bn2)
                       + (conv(x, projection[0], stride) if projection else x))
    return function


def basic_block(layers, stride=1, projection=()):
    """The paper's block (He 2015, Fig. 5 left) of [(convolution, its BN)], as a function of x."""
    (conv1, bn1), (conv2, bn2) = layers

    def function(x):
        out = nd.relu(bn(conv(x, conv1, stride), bn1))
        for layer, its_bn in projection:
            x = bn(conv(x, layer, stride), its_bn)
        return nd.relu(bn(conv(out, conv2), bn2) + x)
    return function


def resnet(calls, blocks):
    """He 2015's Table 1 with basic blocks, option B, as a function of x: (b, any, h, w)."""
    def pairs(kernel, number):
        found = convolutions(calls, kernel)
        take(found, number, f'{kernel} × {kernel} convolution')
        return [(call.layer, behind(calls, call)) for call in found]

    (stem, stem_bn), = pairs(7, 1)
    body, projections = pairs(3, 2 * sum(blocks)), pairs(1, 3)
    dense, = take([c for c in calls if isinstance(c.layer, nn.Dense)], 1, 'nn.Dense')

    def function(x):
        x = nd.relu(bn(conv(x, stem, 2), stem_bn))
        x = nd.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type='max')
        left = list(body)
        for stage, number in enumerate(blocks):
            for i in range(number):
                shrinks = stage > 0 and i == 0
                block = basic_block([left.pop(0), left.pop(0)], 2 if shrinks else 1,
                                    projections[stage - 1:stage] if shrinks else ())
                x = block(x)
        return nd.dot(x.mean(axis=(2, 3)), dense.weight.data(), transpose_b=True) \
            + dense.bias.data()
    return function


def bottleneck(calls, stride=1, downsample=False):
    """The paper's bottleneck (He 2015, Fig. 5 right), stride on the 3 × 3, as a function of x."""
    take(convolutions(calls, 3), 1, '3 × 3 convolution')
    take(convolutions(calls, 1), 3 if downsample else 2, '1 × 1 convolution')
    take(batch_norms(calls), 4 if downsample else 3, 'nn.BatchNorm')
    three, = convolutions(calls, 3)
    middle = three.layer.weight.shape[0]
    # Told apart by their shapes; the tests let in a number of channels that makes it possible.
    ones = {c.layer.weight.shape[:2]: c for c in convolutions(calls, 1)}
    last = ones.pop((4 * middle, middle), None)
    first = next((c for shape, c in ones.items() if shape[0] == middle), None)
    assert first and last, (
        f'expected 1 × 1 convolutions to {middle} and to {4 * middle} maps, found 1 × 1 ones to '
        f'{[c.layer.weight.shape[0] for c in convolutions(calls, 1)]}')
    projection = [c for c in ones.values() if c is not first]
    conv_bns = [(c.layer, behind(calls, c)) for c in (first, three, last, *projection)]

    def function(x):
        out = x
        for (layer, its_bn), its_stride in zip(conv_bns[:3], (1, stride, 1), strict=True):
            out = bn(conv(out, layer, its_stride), its_bn)
            out = out if layer is last.layer else nd.relu(out)
        for layer, its_bn in conv_bns[3:]:
            x = bn(conv(x, layer, stride), its_bn)
        return nd.relu(out + x)
    return function


def preact_unit(layers, stride=1, projection=None, first_bn=None):
    """He 2016, Fig. 1b, of (convolution, BN, convolution), as a function of x.

    first_bn: of the activation in front, None for the net's first unit, which has none.
    """
    conv1, middle_bn, conv2 = layers

    def function(x):
        active = nd.relu(bn(x, first_bn)) if first_bn else x
        out = conv(nd.relu(bn(conv(active, conv1, stride), middle_bn)), conv2)
        return out + (conv(active, projection, stride) if projection else x)
    return function


def preact_residual(calls):
    """The pre-activation unit (He 2016, Fig. 1b), as a function of x."""
    conv1, conv2 = take(convolutions(calls, 3), 2, '3 × 3 convolution')
    first_bn, middle_bn = take(batch_norms(calls), 2, 'nn.BatchNorm')
    ones = convolutions(calls, 1)
    projection = take(ones, 1, '1 × 1 convolution')[0] if ones else None
    return preact_unit((conv1, middle_bn, conv2), 2 if projection else 1, projection, first_bn)


def preact_net(calls, n):
    """The 6n + 2 net of pre-activation units, as a function of x: (b, any, h, w)."""
    stem, *body = take(convolutions(calls, 3), 6 * n + 1, '3 × 3 convolution')
    projections = take(convolutions(calls, 1), 2, '1 × 1 convolution')
    bns = take(batch_norms(calls), 6 * n + 1, 'nn.BatchNorm')
    dense, = take([c for c in calls if isinstance(c.layer, nn.Dense)], 1, 'nn.Dense')

    def function(x):
        convs, norms = list(body), list(bns)
        x = nd.relu(bn(conv(x, stem), norms.pop(0)))
        for i in range(3 * n):
            shrinks = i in (n, 2 * n)
            first_bn = norms.pop(0) if i else None
            unit = preact_unit((convs.pop(0), norms.pop(0), convs.pop(0)), 2 if shrinks else 1,
                               projections[i // n - 1] if shrinks else None, first_bn)
            x = unit(x)
        x = nd.relu(bn(x, norms.pop(0)))
        return nd.dot(x.mean(axis=(2, 3)), dense.weight.data(), transpose_b=True) \
            + dense.bias.data()
    return function


# ---------------------------------------------------------------------------------------------
# Comparing


def check_output(block, x, reference, training, what):
    """The block and the reference agree, with random parameters, in one mode.

    reference: from the runs of the layers, the expected function of x.
    """
    randomise(block, x)
    expected = reference(run(block, x))
    with autograd.record(train_mode=not training):
        other = expected(x).asnumpy()
    with autograd.record(train_mode=training):
        found, wanted = block(x), expected(x)
    modes = ['training mode', 'prediction mode']
    right, wrong = modes if training else modes[::-1]
    hint = (f' (found are the numbers of {wrong})'
            if getattr(found, 'shape', None) == other.shape
            and np.abs(found.asnumpy() - other).max() < 1e-3 * max(1., np.abs(other).max())
            else '')
    assert_close(found, wanted, f'{what} for an input {x.shape}, output in {right}{hint}')


def check_statistics(block, x, what):
    """A training pass moves the running statistics of every BN, a prediction moves none."""
    randomise(block, x)
    means = [p for name, p in block.collect_params().items() if name.endswith('running_mean')]
    before = [p.data().copy() for p in means]

    def moved():
        return [np.abs((p.data() - old).asnumpy()).max() > 0
                for p, old in zip(means, before, strict=True)]

    block(x).wait_to_read()
    found = sum(moved())
    assert found == 0, (f'{what}: expected that prediction mode moves no running mean, found '
                        f'{found} of {len(means)} moved')
    with autograd.record():
        total = block(x).sum()
    total.backward()
    found = sum(moved())
    assert found == len(means), (f'{what}: expected that training mode moves the running means of '
                                 f'all {len(means)} BN layers, found {found} moved')


def gradients(function, parameters, x, upstream):
    """The gradients for x and for every parameter, in training mode."""
    x = x.copy()
    x.attach_grad()
    with autograd.record():
        total = (function(x) * upstream).sum()
    total.backward()
    return [x.grad] + [p.grad().copy() for p in parameters]


def check_gradients(block, x, reference, what):
    """Block and reference agree in the gradients for x and for all parameters."""
    randomise(block, x)
    expected = reference(run(block, x))
    upstream = random(*block(x).shape)
    parameters = [p for p in block.collect_params().values() if p.grad_req != 'null']
    found = gradients(block, parameters, x, upstream)
    wanted = gradients(expected, parameters, x, upstream)
    names = ['x', *(p.name for p in parameters)]
    for name, a, b in zip(names, found, wanted, strict=True):
        assert_close(a, b, f'{what} for an input {x.shape}, gradient for {name}')


# ---------------------------------------------------------------------------------------------
# Repairs and comparisons (notebook 6)


def replaced(recipe, broken, part):
    """The recipe; all of its parts but one must be those of the broken one."""
    assert getattr(recipe, '_fields', None) == broken._fields, (
        f'expected a Recipe, found {type(recipe).__name__}')
    changed = [name for name in broken._fields if getattr(recipe, name) != getattr(broken, name)]
    assert changed == [part], (
        'expected is one replaced part, the one at fault; found replaced: '
        f'{", ".join(changed) or "none"}'
        + ('. One of them would do' if part in changed else ''))
    return recipe


def dense_residual(calls):
    """A residual block of dense layers, relu(F(x) + x), as a function of x; biases as they are."""
    layers = take([c for c in calls if isinstance(c.layer, nn.Dense)], 2, 'nn.Dense')
    bns = take(batch_norms(calls), 2, 'nn.BatchNorm')

    def dense(x, layer):
        x = nd.dot(x, layer.weight.data(), transpose_b=True)
        return x if layer.bias is None else x + layer.bias.data()

    def function(x):
        out = nd.relu(bn(dense(x, layers[0]), bns[0]))
        return nd.relu(bn(dense(out, layers[1]), bns[1]) + x)
    return function


def check_training(recipe, train, error, images, labels):
    """A recipe trains well from another seed, on other images than in the notebook."""
    part = slice(400, 1900)
    net, losses = train(recipe, seed=7, part=part)
    found = error(net, images[part], labels[part])
    assert found < 45, (
        'trained from another seed, on other images: expected a training error below 45 %, found '
        f'{found:.0f} %, with a loss of {losses[-1]:.3g} in the last epoch')


def check_step(step):
    """A function takes the same steps as a reference, in training mode, and returns the loss."""
    def make_net():
        net = nn.HybridSequential()
        net.add(nn.Dense(6), nn.BatchNorm(), nn.Activation('relu'), nn.Dense(3))
        net.initialize()
        net(x)
        return net, gluon.Trainer(net.collect_params(), 'sgd',
                                  {'learning_rate': 0.1, 'momentum': 0.9})

    x, y, loss = random(8, 5) + 1, nd.array(np.arange(8) % 3), gluon.loss.SoftmaxCrossEntropyLoss()
    (net, trainer), (other, reference) = make_net(), make_net()
    for p, q in zip(net.collect_params().values(), other.collect_params().values(), strict=True):
        q.set_data(p.data())
    for rows in (slice(0, 8), slice(0, 5)):
        with autograd.record():
            losses = loss(other(x[rows]), y[rows])
        losses.backward()
        reference.step(len(losses))
        found, expected = float(step(net, trainer, x[rows], y[rows])), losses.mean().asscalar()
        assert abs(found - expected) < 1e-3 * expected, (
            f'what your step returns: expected the mean loss in training mode, {expected:.4g}, '
            f'found {found:.4g}')
    for p, q in zip(net.collect_params().values(), other.collect_params().values(), strict=True):
        assert_close(p.data(), q.data(), f'{p.name} after two steps of 8 and 5 images', 1e-4)


def check_mirrored_batches(batches):
    """Every picture comes once an epoch, with its label, at random mirrored left to right."""
    rng = np.random.RandomState(3)
    pictures, answers = rng.random_sample((130, 6, 6)).astype('float32'), rng.randint(0, 10, 130)
    kept, orders = pictures.copy(), []
    numbers = {version.tobytes(): (number, side) for number, picture in enumerate(pictures)
               for side, version in enumerate((picture, picture[:, ::-1]))}
    for _ in range(2):
        found = []
        for x, y in batches(pictures, answers, rng):
            x, y = np.asarray(x), np.asarray(y)
            assert len(x) == len(y) <= 50, (
                f'expected batches of up to 50 pictures, each with a label, found {len(x)} '
                f'pictures and {len(y)} labels')
            for picture, label in zip(x, y, strict=True):
                number, side = numbers.get(picture.astype('float32').tobytes(), (None, None))
                assert number is not None, (
                    'expected the given pictures, as they are or mirrored left to right, found '
                    'another one')
                assert label == answers[number], (
                    f'picture {number}: expected its label {answers[number]}, found {label}')
                found.append((number, side))
        different = len({number for number, _ in found})
        assert len(found) == different == 130, (
            f'expected 130 pictures in an epoch, each once, found {len(found)}, of which '
            f'{different} are different')
        share = np.mean([side for _, side in found])
        assert 0.65 < share < 0.95, (
            f'expected about 80 % mirrored pictures, as the docstring of D says, found {share:.0%}')
        orders.append(found)
    assert orders[0] != orders[1], (
        'expected another order and other mirrored pictures in the second epoch, found the same')
    changed = int((pictures != kept).any(axis=(1, 2)).sum())
    assert not changed, f'expected the given pictures unchanged, found {changed} changed'


T_QUANTILES = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306,
               10: 2.262}


def interval(a, b):
    """The 95 % interval for the mean of b - a over the shared seeds; None for fewer than two."""
    d = [b[seed] - a[seed] for seed in sorted(set(a) & set(b))]
    if len(d) < 2:
        return None
    half = T_QUANTILES[len(d)] * np.std(d, ddof=1) / len(d) ** 0.5
    return np.mean(d) - half, np.mean(d) + half
