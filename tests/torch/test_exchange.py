"""Weights that PyTorch writes and reads: the same outputs here and there, in both directions.

By torchvision's and timm's own ResNets, and MXNet in a process of its own.
"""
import os
import subprocess
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
SERIES = os.environ['SERIES_PYTHON']


def random_net(depth):
    """torchvision's net; BN's statistics, too, are all different."""
    torch.manual_seed(depth)
    net = getattr(torchvision.models, f'resnet{depth}')(num_classes=7).eval()
    for name, value in net.state_dict().items():
        if name.endswith('running_var') or '.bn' in f'.{name}' and name.endswith('weight'):
            value.uniform_(0.5, 1)
        elif name.endswith(('running_mean', 'bias')):
            value.uniform_(-0.1, 0.1)
    return net


def series(*arguments):
    done = subprocess.run([SERIES, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def close(found, wanted):
    return (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize('suffix', ['safetensors', 'pth'])
@pytest.mark.parametrize('depth', [18, 34, 50, 101])
@torch.no_grad()
def test_there_and_back(depth, suffix, tmp_path):
    net, x = random_net(depth), torch.rand(2, 3, 64, 64)
    (torch.save if suffix == 'pth' else save_file)(net.state_dict(), tmp_path / f'theirs.{suffix}')
    save_file({'x': x}, tmp_path / 'x.safetensors')
    series(ROOT / 'tests' / 'torch' / 'mxnet_side.py', tmp_path / f'theirs.{suffix}',
           tmp_path / 'x.safetensors', tmp_path / 'ours.ckpt', tmp_path / 'y.safetensors')
    assert close(load_file(tmp_path / 'y.safetensors')['y'], net(x))

    series(ROOT / 'scripts' / 'export.py', tmp_path / 'ours.ckpt', tmp_path / 'ours.safetensors')
    state = load_file(tmp_path / 'ours.safetensors')
    for make in (getattr(torchvision.models, f'resnet{depth}'),
                 lambda num_classes: timm.create_model(f'resnet{depth}', num_classes=num_classes)):
        again = make(num_classes=7).eval()
        again.load_state_dict(state)  # strict
        assert close(again(x), net(x))
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items()
               if not name.endswith('num_batches_tracked'))
