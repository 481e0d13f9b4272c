"""How fast images come, for `benchmarks/bench.py`: ours, and resized one by one as usual.

    .venv/bin/python -m benchmarks.pipeline

Prints JSON: images a second of each, one number a round.
"""
import json
import time

import utils  # before mxnet, for its threads

from mxnet import gluon, nd
from mxnet.gluon.data.vision import transforms

SIZE, BATCH, IMAGES, ROUNDS = 96, 64, 2560, 5


def one_by_one():
    """A DataLoader that resizes each image by itself, with Gluon's own transforms."""
    images, labels = utils.read_fashion_mnist('train', IMAGES)
    dataset = gluon.data.ArrayDataset(nd.array(images[..., None], dtype='uint8'), labels)
    resize = transforms.Compose([transforms.Resize(SIZE), transforms.ToTensor()])
    return gluon.data.DataLoader(dataset.transform_first(resize), BATCH, shuffle=True)


def rate(loader):
    start, count = time.perf_counter(), 0
    for data, _ in loader:
        data.wait_to_read()
        count += len(data)
    return count / (time.perf_counter() - start)


def main():
    loaders = {
        'ours': utils.load_data_fashion_mnist(BATCH, resize=SIZE, train_size=IMAGES)[0],
        'one by one': one_by_one()}
    for loader in loaders.values():
        rate(loader)  # once to warm up
    rates = {name: [] for name in loaders}
    for _ in range(ROUNDS):
        for name, loader in loaders.items():
            rates[name].append(rate(loader))
    print(json.dumps(rates))


if __name__ == '__main__':
    main()
