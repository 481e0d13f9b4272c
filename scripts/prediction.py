"""What a trained net says of pictures: probabilities, and the classes that are most probable."""
import utils  # noqa: F401  before mxnet, for its threads

import numpy as np
from mxnet import nd

import pictures
from batches import to_input

BATCH_SIZE = 64


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


def most_probable(probabilities, classes, top):
    """The first `top` classes of one picture as [(name, probability)], most probable first."""
    best = np.argsort(-probabilities, kind='stable')[:top]
    return [(classes[i], float(probabilities[i])) for i in best]


def predict_files(net, about, paths, ctx, top):
    """For each path, in order: (path, [(class, probability)], None) or (path, [], the reason).

    net, about, ctx: as for predict. top: how many classes, most probable first.
    """
    for start in range(0, len(paths), BATCH_SIZE):
        batch = paths[start:start + BATCH_SIZE]
        images, reasons = [], {}
        for path in batch:
            try:
                images.append(pictures.read_picture(path, about['size'], about['grey']))
            except ValueError as error:
                reasons[path] = str(error)
        answers = iter(predict(net, about, images, ctx))
        for path in batch:
            if path in reasons:
                yield path, [], reasons[path]
            else:
                yield path, most_probable(next(answers), about['classes'], top), None
