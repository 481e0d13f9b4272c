"""Run the original lesson's own cells in full, once, and record what they print.

60,000 images at 96 px, one epoch, batch 64, SGD 0.05, Xavier; about ten minutes on two cores.
Notebook 04 shows the result beside its own.

    .venv/bin/python -m records.original_lesson
"""
import contextlib
import io
import sys
from pathlib import Path

import utils  # before mxnet, for its threads

from tools.record import take_no_arguments, write

ROOT = Path(__file__).resolve().parent.parent
SEED = 0


def lesson_names(*cells):
    """What the lesson's code cells of these numbers define; it has 1 to 6, and 6 trains."""
    names = {'__name__': 'original_lesson'}
    source = (ROOT / 'tests' / 'original_lesson.py').read_text()
    for number, cell in enumerate(source.split('# %% ')[1:], start=1):
        if number in cells:
            exec(cell.partition('\n')[2], names)
    return names


class Tee(io.StringIO):
    """Keeps what is printed and shows it too, since the run is long."""

    def write(self, text):
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def main():
    histories, train = [], utils.train
    utils.train = lambda *args, **kwargs: histories.append(train(*args, **kwargs))
    utils.seed_everything(SEED)
    with contextlib.redirect_stdout(Tee()) as printed:
        lesson_names(1, 2, 3, 4, 5, 6)
    write(__file__, seed=SEED, printed=printed.getvalue().splitlines(), history=histories[0])


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
