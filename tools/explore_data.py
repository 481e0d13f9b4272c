"""Makes build/explore: nets and numbers for the site's explorables, from what records/ holds.

nets/NAME.bin holds the parts of a net, ONNX files one behind the other, each taking what the one
before gives: `stem`, `1`, `2`, … for the blocks, `head`, and `bare 1` …, the shortcut alone of a
block that changes the shape. nets/index.json says where each begins. data/ has the pictures and
the records. reference.json, which is not for the site, has MXNet's own answers, for the tests.
"""
import argparse
import base64
import contextlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'scripts'))
import utils  # before mxnet, for its threads

import numpy as np
import onnx
from mxnet import nd
from mxnet.gluon import nn
from onnx import numpy_helper
from PIL import Image

import onnx_files
from resnet import PlainBlock, ShortcutBlock, cifar_net
from scripts import commands
from tools.notebook import notebook_names

# name: where its parameters are, depth, block, (channels, height, width) of a picture, classes.
NETS = {'plain-20': ('nets_07/plain-20', 20, PlainBlock, (1, 14, 14), utils.FASHION_MNIST_CLASSES),
        'ResNet-20': ('nets_07/ResNet-20', 20, ShortcutBlock, (1, 14, 14),
                      utils.FASHION_MNIST_CLASSES),
        'ResNet-56': ('nets_07/ResNet-56', 56, ShortcutBlock, (1, 14, 14),
                      utils.FASHION_MNIST_CLASSES),
        'clothes': ('explore/clothes', 20, ShortcutBlock, (1, 28, 28),
                    utils.FASHION_MNIST_CLASSES),
        'crockery': ('explore/crockery', 20, ShortcutBlock, (3, 64, 64),
                     ('bottle', 'bowl', 'mug', 'vase'))}
COUNT = 500  # test images, as in notebook 07


def record(name):
    return json.loads((ROOT / 'records' / f'{name}.json').read_text(encoding='utf-8'))


def write_json(path, content):
    path.write_text(json.dumps(content, separators=(',', ':')) + '\n', encoding='utf-8')


# ---------------------------------------------------------------------------------------------
# Nets


class Bare(nn.HybridBlock):
    """The shortcut alone of a block with stride 2, as notebook 07 deletes it."""

    def hybrid_forward(self, F, x):
        x = F.Pooling(x, kernel=(1, 1), stride=(2, 2))
        return F.relu(F.concat(x, F.zeros_like(x), dim=1))


def load(name):
    """One of NETS, in single precision."""
    path, depth, block, _, classes = NETS[name]
    net = cifar_net(depth, block, num_classes=len(classes))
    net.load_parameters(str(ROOT / 'records' / f'{path}.params'), cast_dtype=True)
    return net


def parts_of(net):
    """{name: part} of a cifar_net, in order; bare shortcuts last."""
    stem, blocks, head = net[:3], net[3:-2], net[-2:]
    parts = {'stem': stem}
    parts |= {str(i): block for i, block in enumerate(blocks, start=1)}
    bare = {f'bare {i}': Bare() for i, block in enumerate(blocks, start=1) if block.stride == 2}
    return {**parts, 'head': head, **bare}


def halved(model):
    """An ONNX model's bytes, its weights in half precision, as the records have them: no loss."""
    graph = model.graph
    for weight in [w for w in graph.initializer if len(w.dims) > 1]:
        graph.initializer.remove(weight)
        name = f'{weight.name} halved'
        half = numpy_helper.to_array(weight).astype(np.float16)
        graph.initializer.append(numpy_helper.from_array(half, name))
        graph.node.insert(0, onnx.helper.make_node('Cast', [name], [weight.name],
                                                   to=onnx.TensorProto.FLOAT))
    return model.SerializeToString()


def export(net, shape):
    """(the bytes of all parts, {part: [begin, end]})."""
    content, places, shapes = b'', {}, {'stem': shape}
    parts = parts_of(net)
    x = nd.zeros((1, *shape))
    for name, part in parts.items():
        if not name.startswith('bare'):
            shapes[name] = x.shape[1:]
            x = part(x)
    for name, part in parts.items():
        part.hybridize()
        model = onnx_files.graph(part, shapes[name.removeprefix('bare ')], ('x', 'y'))
        begin = len(content)
        content += halved(model)
        places[name] = [begin, len(content)]
    return content, places


def write_nets(folder):
    """All nets of NETS, and their index; recorded test accuracies, where there are some."""
    folder.mkdir(parents=True)
    index, recorded = {}, record('explore')
    for name, (_, _, _, shape, classes) in NETS.items():
        content, places = export(load(name), shape)
        (folder / f'{name}.bin').write_bytes(content)
        index[name] = {'bytes': len(content), 'shape': shape, 'classes': classes, 'parts': places,
                       'accuracy': recorded.get(name)}
    write_json(folder / 'index.json', index)


# ---------------------------------------------------------------------------------------------
# Data


def base64_of(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def test_images(size):
    """Notebook 07's 500 test images (500, 1, size, size), and their labels."""
    _, data = utils.load_data_fashion_mnist(COUNT, resize=size, test_size=COUNT)
    x, y = next(iter(data))
    return x.asnumpy(), y.asnumpy()


def examples():
    """{net: bytes (classes, side, side, channels)}, a picture of each class to begin with."""
    images, labels = utils.read_fashion_mnist('test', COUNT)
    first = [int((labels == label).argmax()) for label in range(10)]
    crockery = [np.asarray(Image.open(ROOT / 'data/crockery' / name / f'{name}_000.jpg'))
                for name in NETS['crockery'][-1]]
    return {'clothes': images[first].reshape(10, 28, 28, 1), 'crockery': np.stack(crockery)}


def depths():
    """Errors in per cent, [depth][seed][epoch], of the nets of records/depths_01.json."""
    recorded = record('depths_01')
    return {'depths': recorded['depths'], 'seeds': recorded['seeds'], 'errors': {
        kind: {part: [[[round(100 * (1 - row[f'{part}_acc']), 2)
                        for row in recorded['runs'][f'{kind}-{depth}, seed {seed}']]
                       for seed in recorded['seeds']] for depth in recorded['depths']]
               for part in ('train', 'test')} for kind in ('plain', 'ResNet')}}


def walk():
    """Notebook 03's net: its parts as in figure 4, and the feature maps that were recorded."""
    with contextlib.redirect_stdout(None):
        names = notebook_names('03_resnet18', (
            'class ResNet', 'net = ResNet(10, verbose=True)', 'windows = ', 'parts = {'))
    fields = {**names['fields'], 'head': None}
    parts = [{'name': name, 'shape': names['shapes'][name], 'parameters': names['parameters'][name],
              'multiply_adds': names['work'][name], 'field': fields[name]}
             for name in names['parts']]
    return {'parts': parts, 'classes': utils.FASHION_MNIST_CLASSES, **record('explore')['walk']}


def write_data(folder):
    """What the explorables read."""
    folder.mkdir(parents=True)
    images, labels = test_images(14)
    (folder / 'images.bin').write_bytes(images.tobytes())
    write_json(folder / 'labels.json', labels.tolist())
    write_json(folder / 'examples.json',
               {net: base64_of(pictures) for net, pictures in examples().items()})
    write_json(folder / 'depths.json', depths())
    write_json(folder / 'walk.json', walk())
    write_json(folder / 'surface.json', record('explore')['surfaces'])


# ---------------------------------------------------------------------------------------------
# What the tests compare with


def reference():
    """MXNet's scores of notebook 07's nets for the 500 images, whole and changed; of the others for
    their examples."""
    images, _ = test_images(14)
    found = {name: load(name)(nd.array(pictures.transpose(0, 3, 1, 2) / 255)).asnumpy().tolist()
             for name, pictures in examples().items()}
    for name in [name for name in NETS if name not in found]:
        parts = parts_of(load(name))
        blocks = [part for part in parts if part.isdigit()]
        third = len(blocks) // 3  # the first block of stage 2 is behind so many
        orders = {'whole': blocks, 'without block 3': [*blocks[:2], *blocks[3:]],
                  'without the first of stage 2': [*blocks[:third], f'bare {third + 1}',
                                                   *blocks[third + 1:]],
                  '2 and 3 swapped': [blocks[0], '3', '2', *blocks[3:]]}
        found[name] = {}
        for change, order in orders.items():
            x = nd.array(images)
            for part in ('stem', *order, 'head'):
                x = parts[part](x)
            found[name][change] = {'order': ['stem', *order, 'head'],
                                   'scores': np.round(x.asnumpy(), 6).tolist()}
    return found


def main(arguments, root=ROOT):
    argparse.ArgumentParser(prog='python -m tools.explore_data',
                            description='Make build/explore for the site.').parse_args(arguments)
    folder = root / 'build' / 'explore'
    shutil.rmtree(folder, ignore_errors=True)
    write_nets(folder / 'nets')
    write_data(folder / 'data')
    write_json(folder / 'reference.json', reference())
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
