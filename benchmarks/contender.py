"""One of MXNet's nets in `make bench`, in a process of its own.

    .venv/bin/python -m benchmarks.contender original|ours|zoo|fused|onnx
"""
import sys
import tempfile
from pathlib import Path

NAME = sys.argv[1]
if NAME == 'original':  # its cells import mxnet first, so it runs on MXNet's own number of threads
    import mxnet  # noqa: F401
import utils

import numpy as np
from mxnet import gluon, init, nd
from mxnet.gluon.model_zoo import vision

import resnet
from benchmarks.serve import serve
from records.original_lesson import lesson_names

sys.path.append(str(Path(__file__).resolve().parents[1] / 'scripts'))
import onnx_files

BATCH, SIZE, STEPS, BATCHES, SIDE = 64, 96, 10, 12, 4096  # bench.py counts with these

x = nd.random.uniform(shape=(BATCH, 1, SIZE, SIZE))
y = nd.random.randint(0, 10, (BATCH,))
ctx = utils.try_gpu()


def hybridized(net):
    net.initialize(init.Xavier(), ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def original():
    net = lesson_names(1, 4)['ResNet'](10)
    net.initialize(init.Xavier(), ctx=ctx)
    return net


def ours():
    return hybridized(resnet.ResNet(10))


def zoo():
    return hybridized(vision.resnet18_v1(classes=10))


def fused():
    """Ours, with convolutions, BN and ReLU made one; such a net can only predict."""
    net = ours()
    net(x)
    with tempfile.TemporaryDirectory() as folder:
        net.export(f'{folder}/net')
        block = gluon.SymbolBlock.imports(f'{folder}/net-symbol.json', ['data'],
                                          f'{folder}/net-0000.params')
    block.optimize_for(x, backend='MKLDNN', static_alloc=True, static_shape=True)
    assert np.allclose(block(x).asnumpy(), net(x).asnumpy(), rtol=1e-3, atol=1e-4)
    return block


def onnx():
    """Ours in onnxruntime, from MXNet's arrays to MXNet's arrays; it can only predict."""
    net = ours()
    scores = net(x).asnumpy()
    session = onnx_files.session(onnx_files.graph(net, (1, SIZE, SIZE)).SerializeToString())

    def run(x):
        return nd.array(session.run(['scores'], {'pixels': x.asnumpy()})[0])

    assert np.allclose(run(x).asnumpy(), scores, rtol=1e-3, atol=1e-4)
    return run


def main():
    net = globals()[NAME]()
    tasks = {'infer': lambda: utils.evaluate_accuracy([(x, y)] * BATCHES, net, ctx),
             'one by one': lambda: [net(x[i:i + 1]).asnumpy() for i in range(BATCH)]}
    if NAME not in ('fused', 'onnx'):
        trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 1e-4})
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        tasks['train'] = lambda: utils.train([(x, y)] * STEPS, [(x, y)], net, loss, trainer, ctx,
                                             num_epochs=1)
    if NAME == 'ours':
        a, b = (nd.random.normal(shape=(SIDE, SIDE)) for _ in range(2))
        tasks['dot'] = lambda: nd.dot(a, b).wait_to_read()
        tasks['dense'] = lambda: nd.FullyConnected(a, b, num_hidden=SIDE,
                                                   no_bias=True).wait_to_read()
    serve(tasks)


if __name__ == '__main__':
    main()
