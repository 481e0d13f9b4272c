"""MXNet's half of test_phrasebook.py: our ResNet-18's weights, in order, and what it answers.

    lesson_side.py WEIGHTS.safetensors   (new: a list of arrays 000, 001, … and x, y)
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import utils  # before mxnet, for its threads

import numpy as np
from mxnet import init, nd
from safetensors.numpy import save_file

import resnet

utils.seed_everything(0)
net = resnet.ResNet(10)
net.initialize(init.MSRAPrelu(factor_type='in', slope=0))
x = nd.random.uniform(shape=(2, 1, 96, 96))
net(x)
arrays = {}
for number, p in enumerate(net._collect_params_with_prefix().values()):
    if p.name.endswith(('gamma', 'running_var')):
        p.set_data(nd.random.uniform(0.5, 1, p.shape))
    elif not p.name.endswith('weight'):
        p.set_data(nd.random.uniform(-0.1, 0.1, p.shape))
    arrays[f'{number:03}'] = np.ascontiguousarray(p.data().asnumpy())
save_file({**arrays, 'x': x.asnumpy(), 'y': net(x).asnumpy()}, sys.argv[1])
