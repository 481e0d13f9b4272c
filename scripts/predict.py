"""Says what is in pictures, by a net that train.py has trained.

    predict.py CHECKPOINT IMAGE|FOLDER … [--top 3] [--csv FILE]
"""
import argparse
import csv
import sys
from pathlib import Path

from commands import number, print_any_name

sys.path.append(str(Path(__file__).resolve().parent.parent))  # utils and resnet are there
import utils  # before mxnet, for its threads

import checkpoint
import pictures
from files import whole
from prediction import predict_files

EPILOG = """\
Each line of the output is a file, and the classes that the net finds most probable. It knows no
other classes than those it was trained on: of a picture of something else it names one of them,
and may be sure of it.

exit status: 0 all pictures were read; 1 some could not be (they are named on stderr, the others
are done), or nothing could be done; 2 wrong usage; 130 stopped by Ctrl-C
"""


def expand(arguments):
    """The files that the command line names: a folder stands for all files in it."""
    paths = []
    for path in arguments:
        # An empty folder is left as it is, to be reported as no picture.
        paths += (pictures.find_files(path) if path.is_dir() else []) or [path]
    return paths


def write_csv(path, results, top):
    """The results as a CSV file in UTF-8, written whole or not at all."""
    header = [f'{column}_{i + 1}' for i in range(top) for column in ('class', 'probability')]
    # A name that is no UTF-8 is written with escapes.
    with whole(path, newline='', errors='backslashreplace') as file:
        writer = csv.writer(file)
        writer.writerow(['file', *header, 'error'])
        for name, answers, reason in results:
            row = [text for label, p in answers for text in (label, f'{p:.6f}')]
            writer.writerow([name, *(row or [''] * len(header)), reason or ''])


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
    print_any_name()
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
