"""Splits a folder of pictures, one sub-folder a class, into a part to train on and one to check.

    split_data.py SOURCE OUT [--val 0.2] [--seed 0] [--link]

From SOURCE/cat and SOURCE/dog come OUT/train/cat, OUT/train/dog, OUT/val/cat and OUT/val/dog.
"""
import argparse
import sys
from pathlib import Path

# These two folders before all others that may have a `utils` or a `resnet`.
sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])
import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
from pictures import one_line
from splits import split

EPILOG = """\
Every class keeps its share: with --val 0.2, a fifth of its pictures, rounded, and at least one,
goes to OUT/val, the rest to OUT/train. Which ones is decided by what is in the files and by the
seed, not by their names, so it is the same on every machine. Pictures that are equal byte for
byte stay on one side. Pictures in folders below a class folder belong to the class. What is listed
as left out: files and folders that cannot be read, files in no class folder, and pictures that lie
in two classes; thumbnails and other hidden files that systems leave are not. SOURCE is not
changed. OUT appears only when all is done.

exit status: 0 done, 1 nothing was written, 2 wrong usage, 130 stopped by Ctrl-C (143 by
SIGTERM)
"""


def report(done, out):
    """Prints what `split` has done: left-out files on stderr, the rest on stdout."""
    if done.left_out:
        print(f'left out: {len(done.left_out)}', file=sys.stderr)
        for path, reason in done.left_out:
            print(f'  {path}: {reason}', file=sys.stderr)
    width = max(map(len, ('class', 'all', *done.train)))
    print(f'{"class":{width}}  train    val')
    for name in done.train:
        print(f'{name:{width}}  {done.train[name]:5}  {done.val[name]:5}')
    print(f'{"all":{width}}  {sum(done.train.values()):5}  {sum(done.val.values()):5}')
    print(f'{out} is ready: train.py {out} trains on it.')


def main(arguments):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        description='Split a folder of pictures, one sub-folder a class, into OUT/train and '
                    'OUT/val.',
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SOURCE', type=Path,
                        help='the folder with one sub-folder a class')
    parser.add_argument('out', metavar='OUT', type=Path, help='the folder to make; must not exist')
    parser.add_argument('--val', type=float, default=0.2, metavar='SHARE',
                        help='the share of each class for OUT/val, between 0 and 1 (default: 0.2)')
    parser.add_argument('--seed', type=int, default=0,
                        help='a whole number; another seed chooses other pictures (default: 0)')
    parser.add_argument('--link', action='store_true',
                        help='make symbolic links instead of copies: takes no space, but breaks '
                             'when SOURCE is moved')
    options = parser.parse_args(arguments)
    try:
        done = split(options.source, options.out, options.val, options.seed, options.link)
    except ValueError as error:
        print(f'split_data.py: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        print(f'split_data.py: {one_line(error)}: {error.filename or options.out}; nothing was '
              'written', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('split_data.py: stopped; nothing was written', file=sys.stderr)
        return 130
    report(done, options.out)
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
