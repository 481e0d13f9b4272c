"""Notebook 13: the Gluon column of its phrasebook runs; its mistakes are what they are called."""
import re

import numpy as np
import pytest
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn
from rules import ROOT

from tools import notebook

NAME = '13_beyond_mxnet'
[TABLE] = [cell.source for cell in notebook.read(ROOT / 'notebooks' / f'{NAME}.ipynb').cells
           if cell.cell_type == 'markdown' and '| Gluon |' in cell.source]
PHRASES = {row.split('|')[1].strip(): re.findall('`([^`]*)`', row)[0]
           for row in TABLE.splitlines() if row.count('`') == 6}


@pytest.mark.parametrize('what', PHRASES)
def test_gluon(what, tmp_path):
    net, x = nn.HybridSequential(), nd.zeros((8, 16, 32, 32))
    net.add(nn.Conv2D(64, 3))
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), 'sgd')
    with autograd.record():
        loss = net(x).sum()
    loss.backward()
    names = {'nn': nn, 'net': net, 'x': x, 'init': init, 'autograd': autograd, 'gluon': gluon,
             'w': net[0].weight, 'trainer': trainer, 'path': str(tmp_path / 'net.params')}
    if ' = ' in PHRASES[what]:
        exec(PHRASES[what], names)
    else:
        assert eval(PHRASES[what], names) is not False


def test_defaults_are_those_of_the_table():
    assert nn.BatchNorm()._kwargs['momentum'] == 0.9 and nn.BatchNorm()._kwargs['eps'] == 1e-5
    dense = nn.Dense(100, in_units=100)
    dense.initialize()
    assert 0.06 < np.abs(dense.weight.data().asnumpy()).max() <= 0.07
    assert len(PHRASES) >= 12
