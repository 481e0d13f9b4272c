"""Says what is in pictures, by a net that train.py has trained.

    predict.py CHECKPOINT IMAGE|FOLDER … [--top 3] [--csv FILE]
    predict.py NET.onnx IMAGE|FOLDER …    the same by onnxruntime, without MXNet (see export.py)
"""
import argparse
import csv
import functools
import io
import os
import sys
from pathlib import Path

# These two folders before all others that may have a `utils` or a `resnet`.
sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])
import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
import pictures
from answers import predict_files
from files import whole

EPILOG = """\
Each line of the output is a file, and the classes that the net finds most probable. It knows no
other classes than those it was trained on: of a picture of something else it names one of them,
and may be sure of it.

exit status: 0 all pictures were read; 1 some could not be (they are named on stderr, the others
are done), or nothing could be done; 2 wrong usage; 130 stopped by Ctrl-C (143 by SIGTERM)
"""


def expand(arguments):
    """The files that the command line names: a folder stands for all files in it."""
    paths = []
    for path in arguments:
        # An empty folder is left as it is, to be reported as no picture.
        paths += (pictures.find_files(path) if os.path.isdir(path) else []) or [path]
    return paths


def check(options):
    """Raises ValueError for a table that cannot be written."""
    if options.csv and os.path.lexists(options.csv):
        raise ValueError(f'{options.csv} exists already; remove it, or choose another name')
    if options.csv and not options.csv.parent.is_dir():
        raise ValueError(f'{options.csv.parent} is no folder to put {options.csv.name} into')


def load(path):
    """(ask, about) of the net in a file: of an ONNX file without MXNet, else by it.

    ask: maps a list of pictures to probabilities, see answers.predict_files.
    """
    if path.suffix == '.onnx':
        import onnx_files
        return onnx_files.load(path)
    import utils  # before mxnet, for its threads

    import checkpoint
    import prediction
    ctx = utils.try_gpu()
    net, about = checkpoint.load_to_ask(path, ctx)
    net.hybridize()
    return functools.partial(prediction.predict, net, about, ctx=ctx), about


def answer(options):
    """Predicts, prints and writes; returns how many pictures could not be read."""
    check(options)
    # A name that is no UTF-8 is written with escapes. Without --csv, nobody reads the table.
    table = (whole(options.csv, newline='', errors='backslashreplace') if options.csv
             else io.StringIO())
    with table as file:
        ask, about = load(options.net)
        top = min(options.top, len(about['classes']))
        header = [f'{column}_{i + 1}' for i in range(top) for column in ('class', 'probability')]
        writer = csv.writer(file)
        writer.writerow(['file', *header, 'error'])
        paths, failed = expand(options.images), 0
        for path, answers, reason in predict_files(ask, about, paths, top):
            row = [text for label, p in answers for text in (label, f'{p:.6f}')]
            writer.writerow([path, *(row or [''] * len(header)), reason or ''])
            if reason:
                failed += 1
                print(f'{path}: {reason}', file=sys.stderr)
            else:
                print(f'{path}:', ', '.join(f'{label} {p:.3f}' for label, p in answers),
                      flush=True)
    if failed:
        print(f'{failed} of {len(paths)} could not be read', file=sys.stderr)
    return failed


def main(arguments):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        description='Say what is in pictures, by a net that train.py has trained.',
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('net', metavar='NET', type=Path,
                        help='what train.py or export.py wrote: runs/NAME/best.ckpt, NET.onnx')
    parser.add_argument('images', metavar='IMAGE|FOLDER', type=Path, nargs='+',
                        help='pictures, or folders of pictures')
    parser.add_argument('--top', type=commands.number(int, 1), default=1, metavar='N',
                        help='show the N most probable classes (default: 1)')
    parser.add_argument('--csv', type=Path, metavar='FILE',
                        help='also write a table, in UTF-8; FILE must not exist')
    options = parser.parse_args(arguments)
    try:
        return int(answer(options) > 0)
    except BrokenPipeError:  # nobody reads on, see commands.run
        raise
    except (ValueError, OSError) as error:
        print(f'predict.py: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('predict.py: stopped', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(commands.run(main))
