"""From probabilities to words, for files of pictures; needs no MXNet."""
import numpy as np

import pictures

BATCH_SIZE = 64


def most_probable(probabilities, classes, top):
    """The first `top` classes of one picture as [(name, probability)], most probable first."""
    best = np.argsort(-probabilities, kind='stable')[:top]
    return [(classes[i], float(probabilities[i])) for i in best]


def predict_files(ask, about, paths, top):
    """For each path, in order: (path, [(class, probability)], None) or (path, [], the reason).

    ask: maps a list of pictures, as pictures.read_picture gives them, to the probability of each
    class, (pictures, classes). about: what the net's file says, see about.py. top: how many
    classes, most probable first.
    """
    for start in range(0, len(paths), BATCH_SIZE):
        batch = paths[start:start + BATCH_SIZE]
        images, reasons = [], {}
        for path in batch:
            try:
                images.append(pictures.read_picture(path, about['size'], about['grey']))
            except ValueError as error:
                reasons[path] = str(error)
        answers = iter(ask(images) if images else ())
        for path in batch:
            if path in reasons:
                yield path, [], reasons[path]
            else:
                yield path, most_probable(next(answers), about['classes'], top), None
