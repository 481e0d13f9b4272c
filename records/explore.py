"""What the site's explorables need and the notebooks do not have; about 25 minutes on one core.

    OMP_NUM_THREADS=1 .venv/bin/python -m records.explore

explore/clothes.params, explore/crockery.params: two ResNet-20, small enough for a web page, for
what a reader draws. explore.json: their accuracies; feature maps of notebook 03's ResNet-18 for
eight pictures; notebook 07's loss surfaces with 31 × 31 points.
"""
import base64
import subprocess
import sys
import tempfile
from pathlib import Path

import utils  # before mxnet, for its threads

import numpy as np
from mxnet import gluon, init, nd
from mxnet.lr_scheduler import CosineScheduler
from PIL import Image

from resnet import ResNet, ShortcutBlock, cifar_net
from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(__file__).with_suffix('')
CROCKERY = ('bottle', 'bowl', 'mug', 'vase')
CHANNELS = 8  # of each stage that the site shows
PICTURES = (0, 1, 2, 3, 12, 18, 19, 23)  # test images: a boot, a pullover, two trousers, …
POINTS = 31  # of a loss surface, on each side


def keep(net, name):
    """Stores a net as records.nets_07 does: weights in half precision, BN in single."""
    net.cast('float16')
    net.save_parameters(str(FOLDER / f'{name}.params'))


def clothes():
    """Accuracy on the 10,000 test images of a ResNet-20 for 28 × 28 pixels."""
    train_data, test_data = utils.load_data_fashion_mnist(128)
    net = utils.init_net(cifar_net(20, ShortcutBlock), seed=0)
    history = utils.fit(net, train_data, test_data, epochs=6, learning_rate=0.1)
    keep(net, 'clothes')
    return history[-1]['test_acc']


def read_crockery(folder):
    """Pictures (n, 3, 64, 64) from 0 to 1, and their labels, from one folder for each class."""
    paths = [path for name in CROCKERY for path in sorted((folder / name).glob('*.jpg'))]
    images = np.stack([np.asarray(Image.open(path).convert('RGB')) for path in paths])
    labels = np.array([CROCKERY.index(path.parent.name) for path in paths], dtype=np.int32)
    return images.transpose(0, 3, 1, 2).astype(np.float32) / 255, labels


def crockery():
    """Accuracy on the 1,000 pictures of data/crockery of a ResNet-20 that saw 4,000 others."""
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for seed in (2, 3, 4, 5):
            drawn = Path(folder, str(seed))
            subprocess.run([sys.executable, ROOT / 'data/crockery/draw.py', drawn,
                            '--seed', str(seed)], check=True)
            parts.append(read_crockery(drawn))
    images, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    images = np.concatenate([images, images[..., ::-1]])  # each also as in a mirror
    dataset = gluon.data.ArrayDataset(images, np.tile(labels, 2))
    utils.seed_everything(0)
    train_data = gluon.data.DataLoader(dataset, 64, shuffle=True)
    test_data = gluon.data.DataLoader(
        gluon.data.ArrayDataset(*read_crockery(ROOT / 'data/crockery')), 64)
    net = utils.init_net(cifar_net(20, ShortcutBlock, num_classes=4), seed=0)
    history = utils.fit(net, train_data, test_data, epochs=4, learning_rate=0.1)
    keep(net, 'crockery')
    return history[-1]['test_acc']


def walk():
    """Notebook 03's net after an epoch of 20,000 images of 96 px: what its stages see."""
    train_data, test_data = utils.load_data_fashion_mnist(64, resize=96, train_size=20_000)
    utils.seed_everything(0)
    net = ResNet(10)
    net.initialize(init.Xavier(), ctx=utils.try_gpu())
    net.hybridize(static_alloc=True, static_shape=True)
    steps = len(train_data)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'lr_scheduler': CosineScheduler(
        steps, 0.05, final_lr=0.05 / 20, warmup_steps=steps // 10)})  # notebook 04's recipe
    history = utils.train(train_data, test_data, net, gluon.loss.SoftmaxCrossEntropyLoss(),
                          trainer, utils.try_gpu(), 1)
    net.hybridize(False)
    images, labels = utils.read_fashion_mnist('test')
    chosen = images[list(PICTURES)]
    x, maps = utils.as_input(chosen, 96).as_in_context(utils.try_gpu()), {}
    layers = net.net
    for name, layer in (('stem', lambda x: layers[1][0](layers[0](x))),
                        ('stage 1', layers[1][1:]), ('stage 2', layers[2]),
                        ('stage 3', layers[3]), ('stage 4', layers[4])):
        x = layer(x)
        values = x.asnumpy()
        channels = np.argsort(-values.std(axis=(2, 3)).mean(axis=0))[:CHANNELS]
        values = values[:, channels]
        low, high = values.min(), values.max()
        grey = np.round(255 * (values - low) / (high - low)).astype(np.uint8)
        maps[name] = {'shape': grey.shape, 'channels': channels.tolist(),
                      'low': round(float(low), 3), 'high': round(float(high), 3),
                      'base64': base64.b64encode(grey.tobytes()).decode()}
    probabilities = nd.softmax(layers[5](x)).asnumpy()
    return {'test_acc': history[-1]['test_acc'],
            'pictures': base64.b64encode(chosen.tobytes()).decode(),
            'labels': labels[list(PICTURES)].tolist(),
            'probabilities': np.round(probabilities, 4).tolist(), 'maps': maps}


def surfaces():
    """Notebook 07's figure 8 with more points, by its own cells."""
    names = notebook_names('07_inside_a_resnet', (
        'NETS = ', 'nets, untrained = ', 'def random_direction', 'steps, surface = '))
    names['surface'].clear()
    nets, found = names['nets'], {}
    steps = np.linspace(-1, 1, POINTS)
    for name in ('ResNet-56', 'plain-56'):
        random = np.random.RandomState(0)
        one, other = [names['random_direction'](nets[name], random) for _ in range(2)]
        found[name] = [[round(float(names['loss_at'](nets[name], *names['batch'],
                                                     [(alpha, one), (beta, other)])), 3)
                        for alpha in steps] for beta in steps]
    return {'steps': np.round(steps, 4).tolist(), **found}


def main():
    take_no_arguments(__doc__)
    FOLDER.mkdir(exist_ok=True)
    results = {}
    for part in (walk, surfaces, clothes, crockery):
        results[part.__name__] = part()
        print(part.__name__, 'is done', flush=True)
        write(__file__, **results)


if __name__ == '__main__':
    main()
