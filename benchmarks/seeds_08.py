"""Notebook 08's six nets, trained with its own cells: four seeds, and two other learning rates.

About a quarter of an hour on two cores. The notebook shows the result beside its own single runs.

    .venv/bin/python benchmarks/seeds_08.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
import utils  # noqa: E402, F401  before mxnet, for its threads

from benchmarks.cells import notebook_names  # noqa: E402
from benchmarks.record import write  # noqa: E402

# The cells that it takes, by a line of each.
CELLS = ('def conv(', 'class Shortcut(', 'def depthwise(', 'def vgg(', 'def xception(',
         'def small_net(', 'budget = ', 'def fit(', 'def images_a_second(')
SEEDS, LEARNING_RATE, OTHER_RATES = (0, 1, 2, 3), 0.1, (0.05, 0.2)


def main():
    names = notebook_names('08_inception_and_xception', CELLS)
    new_net, fit = names['new_net'], names['fit']

    speed = names['images_a_second']({name: new_net(name, 0) for name in names['modules']})
    runs = {name: [] for name in names['modules']}
    plan = [(0, rate) for rate in OTHER_RATES] + [(seed, LEARNING_RATE) for seed in SEEDS]
    for seed, rate in plan:
        for name in runs:
            errors = fit(new_net(name, seed), rate)
            runs[name].append({'seed': seed, 'learning_rate': rate, **errors})
            print(name, runs[name][-1], flush=True)
    write('seeds_08', learning_rate=LEARNING_RATE, images_a_second=speed, runs=runs)


if __name__ == '__main__':
    main()
