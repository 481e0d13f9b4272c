"""Notebook 08's six nets, trained with its own cells: four seeds, and two other learning rates.

About a quarter of an hour on two cores. The notebook shows the result beside its own single runs.

    .venv/bin/python -m records.seeds_08
"""
import utils  # noqa: F401  before mxnet, for its threads

from tools.notebook import notebook_names
from tools.record import take_no_arguments, write

# The cells that it takes, by a line of each.
CELLS = ('def conv(', 'class Shortcut(', 'def depthwise(', 'def vgg(', 'def xception(',
         'def small_net(', 'budget = ', 'def train_and_test(', 'def images_a_second(')
SEEDS, LEARNING_RATE, OTHER_RATES = (0, 1, 2, 3), 0.1, (0.05, 0.2)


def main():
    names = notebook_names('08_inception_and_xception', CELLS)
    new_net, train_and_test = names['new_net'], names['train_and_test']

    speed = names['images_a_second']({name: new_net(name, 0) for name in names['modules']})
    runs = {name: [] for name in names['modules']}
    plan = [(0, rate) for rate in OTHER_RATES] + [(seed, LEARNING_RATE) for seed in SEEDS]
    for seed, rate in plan:
        for name in runs:
            errors = train_and_test(new_net(name, seed), rate)
            runs[name].append({'seed': seed, 'learning_rate': rate, **errors})
            print(name, runs[name][-1], flush=True)
    write(__file__, learning_rate=LEARNING_RATE, images_a_second=speed, runs=runs)


if __name__ == '__main__':
    take_no_arguments(__doc__)
    main()
