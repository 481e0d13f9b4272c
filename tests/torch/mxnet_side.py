"""MXNet's half of test_exchange.py, by the series' Python: reads weights, answers, writes them.

    mxnet_side.py WEIGHTS INPUTS.safetensors CHECKPOINT OUTPUTS.safetensors
"""
import sys
from pathlib import Path

sys.path[:0] = map(str, [ROOT := Path(__file__).resolve().parents[2], ROOT / 'scripts'])
import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx
from mxnet import nd
from safetensors.numpy import load_file, save_file

import checkpoint

weights, inputs, saved, outputs = map(Path, sys.argv[1:])
net, about = checkpoint.load(weights, mx.cpu())
x = load_file(inputs)['x']
save_file({'y': net(nd.array(x)).asnumpy()}, outputs)
checkpoint.save(saved, net, {**about, 'size': 64})
