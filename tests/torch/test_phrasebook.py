"""Notebook 13: its phrasebook's PyTorch and Keras run, and what it says of them holds."""
import os
import re
import subprocess
from pathlib import Path

os.environ['KERAS_BACKEND'] = 'torch'
import keras
import numpy as np
import pytest
import torch
from keras import initializers, layers, losses
from safetensors.torch import load_file
from test_folds import folds
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / 'notebooks' / '13_beyond_mxnet.ipynb'
ROWS = [[cell.strip() for cell in row.split('|')[1:-1]]
        for row in NOTEBOOK.read_text('utf-8').replace('\\"', '"').replace('\\n', '\n').splitlines()
        if row.strip(' "').startswith('| ') and row.count('`') == 6]


def phrases(column):
    """{what: code} of a column of the phrasebook: 1 Gluon, 2 PyTorch, 3 Keras."""
    return {row[0].strip(' "|') or row[0]: re.search('`(.*)`', row[column])[1] for row in ROWS}


def test_phrasebook_has_a_dozen_rows():
    assert len(ROWS) >= 12


@pytest.mark.parametrize('what', phrases(2))
def test_pytorch(what, tmp_path):
    net = nn.Conv2d(16, 64, 3)
    w = net.weight.detach()
    names = {'torch': torch, 'nn': nn, 'net': net, 'w': w, 'path': tmp_path / 'net.pth',
             'x': torch.zeros(8, 16, 32, 32), 'optimizer': torch.optim.SGD(net.parameters(), 0.1)}
    net(names['x']).sum().backward()
    assert eval(phrases(2)[what], names) is not False


@pytest.mark.parametrize('what', phrases(3))
def test_keras(what, tmp_path):
    net, x = keras.Sequential([layers.BatchNormalization()]), np.zeros((8, 32, 32, 16), 'float32')
    net(x)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(net.trainable_variables)
    convolution = layers.Conv2D(64, 3)
    convolution(x)
    names = {'layers': layers, 'initializers': initializers, 'losses': losses, 'net': net, 'x': x,
             'layer': net.layers[0], 'w': convolution.kernel, 'optimizer': optimizer,
             'path': tmp_path / 'net.weights.h5', 'gradients': [torch.zeros(16), torch.zeros(16)]}
    code = phrases(3)[what]
    if ' = ' in code:
        exec(code, names)
    else:
        assert eval(code, names) is not False


def test_defaults_are_those_of_the_table():
    ours, theirs = layers.BatchNormalization(), nn.BatchNorm2d(16)
    assert (ours.momentum, ours.epsilon) == (0.99, 1e-3)
    assert (theirs.momentum, theirs.eps) == (0.1, 1e-5)
    assert isinstance(layers.Conv2D(4, 3).kernel_initializer, initializers.GlorotUniform)


def test_frozen_bn_of_keras_takes_what_it_has_kept():
    x = np.random.RandomState(0).randn(8, 4, 4, 16).astype('float32') + 3
    layer = layers.BatchNormalization(epsilon=1e-5)
    layer(x)
    layer.trainable = False
    assert np.allclose(torch.as_tensor(layer(x, training=True)).detach(), x, atol=1e-3)
    theirs = nn.BatchNorm2d(16).train().requires_grad_(False)
    out = theirs(torch.tensor(x.transpose(0, 3, 1, 2)))
    assert out.mean().abs() < 0.01  # the batch's own mean, 3, is gone


def test_padding_of_keras_is_lopsided_at_stride_2():
    image = np.arange(64, dtype='float32').reshape(1, 8, 8, 1)
    weight = np.random.RandomState(0).rand(3, 3, 1, 1).astype('float32')
    same = layers.Conv2D(1, 3, 2, padding='same', use_bias=False)
    same(image)
    same.set_weights([weight])
    x, w = (torch.tensor(array.transpose(order)) for array, order in (
        (image, (0, 3, 1, 2)), (weight, (3, 2, 0, 1))))
    lopsided = nn.functional.conv2d(nn.functional.pad(x, (0, 1, 0, 1)), w, stride=2)
    level = nn.functional.conv2d(x, w, stride=2, padding=1)
    found = torch.as_tensor(same(image)).detach().permute(0, 3, 1, 2)
    assert torch.allclose(found, lopsided) and not torch.allclose(found, level)


@torch.no_grad()
def test_the_lessons_net_says_the_same_in_pytorch(tmp_path):
    """The fold's own text, with MXNet's weights, which stand in the same order."""
    [code] = [fold for fold in folds(NOTEBOOK) if 'class Residual' in fold]
    exec(code, names := {})
    script = ROOT / 'tests' / 'torch' / 'lesson_side.py'
    done = subprocess.run([os.environ['SERIES_PYTHON'], script, tmp_path / 'w.safetensors'],
                          capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    arrays = load_file(tmp_path / 'w.safetensors')
    x, y = arrays.pop('x'), arrays.pop('y')
    net = names['resnet'](10)
    wanted = [name for name in net.state_dict() if not name.endswith('num_batches_tracked')]
    state = dict(zip(wanted, (arrays[name] for name in sorted(arrays)), strict=True))
    net.load_state_dict(state, strict=False)
    assert (net.eval()(x) - y).abs().max() <= 1e-5 * y.abs().max()
