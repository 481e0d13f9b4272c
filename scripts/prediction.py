"""What a trained net says of pictures, by MXNet: the probability of each class."""
import utils  # noqa: F401  before mxnet, for its threads

import numpy as np
from mxnet import nd

from answers import BATCH_SIZE
from batches import to_input


def predict(net, about, images, ctx):
    """The probability of each class, float32 of shape (n, number of classes); rows add up to 1.

    net, about: see checkpoint.load; ctx: the device that the net is on. images: n uint8 arrays of
    shape (size, size, 1 if grey else 3), as pictures.read_picture gives them.
    """
    prepare, rows = to_input(about), []
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start:start + BATCH_SIZE]
        data = nd.stack(*[prepare(nd.array(image, dtype='uint8')) for image in batch])
        rows.append(nd.softmax(net(data.as_in_context(ctx))).asnumpy())
    return np.concatenate(rows) if rows else np.zeros((0, len(about['classes'])), np.float32)
