"""How `benchmarks/bench.py` talks to a contender; it needs nothing but Python."""
import sys
import time


def serve(tasks):
    """Run each of `tasks` once to warm up, then one for each line read; print its seconds.

    tasks: {name: function without arguments that returns when the work is done}.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what a task prints is no answer
    for task in tasks.values():
        task()
    print('ready', file=answers, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        tasks[line.strip()]()
        print(time.perf_counter() - start, file=answers, flush=True)
