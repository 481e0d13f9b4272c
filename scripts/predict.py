"""Says what is in pictures, by a net that train.py has trained.

    predict.py CHECKPOINT IMAGE|FOLDER … [--top 3] [--csv FILE]
"""
import argparse
import csv
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # before mxnet, for its threads

import numpy as np
from mxnet import nd

import checkpoint
import pictures
from train import number, to_input

BATCH_SIZE = 64
EPILOG = """\
Each line of the output is a file, and the classes that the net finds most probable. It knows no
other classes than those it was trained on: of a picture of something else it names one of them,
and may be sure of it.

exit status: 0 all pictures were read; 1 some could not be (they are named on stderr, the others
are done), or nothing could be done; 2 wrong usage; 130 stopped by Ctrl-C
"""


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
    """For each path, in order: (path, [(class, probability)], None) or (path, [], the reason)."""
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


def expand(arguments):
    """The files that the command line names: a folder stands for all files in it."""
    paths = []
    for path in arguments:
        # An empty folder is left as it is, to be reported as no picture.
        paths += (pictures.find_files(path) if path.is_dir() else []) or [path]
    return paths


def write_csv(path, results, top):
    """The results as a CSV file in UTF-8, written whole or not at all."""
    unfinished = path.with_name(f'.{path.name}.tmp')
    header = [f'{column}_{i + 1}' for i in range(top) for column in ('class', 'probability')]
    try:
        # A name that is no UTF-8 is written with escapes.
        with open(unfinished, 'w', newline='', encoding='utf-8', errors='backslashreplace') as file:
            writer = csv.writer(file)
            writer.writerow(['file', *header, 'error'])
            for name, answers, reason in results:
                row = [text for label, p in answers for text in (label, f'{p:.6f}')]
                writer.writerow([name, *(row or [''] * len(header)), reason or ''])
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def run(options):
    """Predicts, prints and writes; returns how many pictures could not be read."""
    if options.csv and options.csv.exists():
        raise ValueError(f'{options.csv} exists already; remove it, or choose another name')
    if options.csv and not options.csv.parent.is_dir():
        raise ValueError(f'{options.csv.parent} is no folder to put {options.csv.name} into')
    ctx = utils.try_gpu()
    net, about = checkpoint.load(options.checkpoint, ctx)
    net.hybridize()
    top, results = min(options.top, len(about['classes'])), []
    for result in predict_files(net, about, expand(options.images), ctx, top):
        results.append(result)
        path, answers, reason = result
        if reason:
            print(f'{path}: {reason}', file=sys.stderr)
        else:
            print(f'{path}:', ', '.join(f'{label} {p:.3f}' for label, p in answers), flush=True)
    if options.csv:
        write_csv(options.csv, results, top)
    failed = sum(reason is not None for _, _, reason in results)
    if failed:
        print(f'{failed} of {len(results)} could not be read', file=sys.stderr)
    return failed


def main(arguments):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        description='Say what is in pictures, by a net that train.py has trained.',
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', type=Path,
                        help='what train.py wrote, such as runs/NAME/best.ckpt')
    parser.add_argument('images', metavar='IMAGE|FOLDER', type=Path, nargs='+',
                        help='pictures, or folders of pictures')
    parser.add_argument('--top', type=number(int, 1), default=1, metavar='N',
                        help='show the N most probable classes (default: 1)')
    parser.add_argument('--csv', type=Path, metavar='FILE',
                        help='also write a table, in UTF-8; FILE must not exist')
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, 'reconfigure'):  # a name may have characters that it cannot print
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        return int(run(options) > 0)
    except (ValueError, OSError) as error:
        print(f'predict.py: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('predict.py: stopped', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
