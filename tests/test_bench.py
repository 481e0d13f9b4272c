"""benchmarks/: what `make bench` counts and reports, and that its records are as it wrote them."""
import ast
import json
import os
import subprocess
import sys

import utils  # noqa: F401  before mxnet, for its threads

import pytest
from rules import ROOT

from benchmarks import bench, test_suite
from records import search_04
from tools import record

BENCHMARKS = ROOT / 'benchmarks'
SEARCH = ROOT / 'records' / 'search_04.json'


@pytest.fixture(scope='module')
def recorded():
    return bench.read_results()


def constants(script):
    """The numbers that a script gives names to, {name: number}."""
    found = {}
    for node in ast.parse((BENCHMARKS / script).read_text()).body:
        if isinstance(node, ast.Assign):
            names = getattr(node.targets[0], 'elts', node.targets)
            values = getattr(node.value, 'elts', [node.value])
            for name, value in zip(names, values, strict=False):
                if isinstance(value, ast.Constant) and isinstance(name, ast.Name):
                    found[name.id] = value.value
    return found


@pytest.mark.parametrize('script', ['contender.py', 'pytorch_net.py'])
def test_contenders_do_as_much_as_the_benchmark_counts(script):
    wanted = {name: getattr(bench, name) for name in ('BATCH', 'SIZE', 'STEPS', 'BATCHES', 'SIDE')}
    assert wanted.items() <= constants(script).items()


def test_a_forward_pass_is_counted_layer_by_layer():
    def convolution(inputs, outputs, kernel, side):
        return 2 * inputs * outputs * kernel ** 2 * side ** 2

    first = convolution(1, 64, 7, 45)
    total = first + 4 * convolution(64, 64, 3, 22) + 2 * 512 * 10
    for channels, side in ((128, 11), (256, 6), (512, 3)):
        total += (convolution(channels // 2, channels, 3, side)
                  + 3 * convolution(channels, channels, 3, side)
                  + convolution(channels // 2, channels, 1, side))
    assert bench.forward_operations() == (total, first)
    # Ten steps of 64 images: forward and two gradients, but one for the first layer; one test.
    assert bench.operations('train') == 64 * (10 * (3 * total - first) + total)
    assert bench.operations('infer') == 64 * 12 * total
    assert bench.operations('dot') == 2 * 4096 ** 3


def test_results_are_written_as_they_were_measured(recorded):
    assert (BENCHMARKS / 'results.md').read_text() == bench.report(recorded)


def slower(results, name, task, times):
    """A copy in which one contender takes so many times as long."""
    results = json.loads(json.dumps(results))
    seconds = results['throughput'][name][task]
    results['throughput'][name][task] = [times * value for value in seconds]
    return results


def test_a_bar_that_is_missed_is_reported_as_missed(recorded):
    def holds(results):
        return next(line for line in bench.bars(results).splitlines()
                    if line.startswith('| training ≥ 1.0 × PyTorch |'))

    assert holds(slower(recorded, 'pytorch', 'train', 10)).endswith('| yes |')
    assert holds(slower(recorded, 'ours', 'train', 10)).endswith('| **no** |')


def test_ratios_are_taken_round_by_round():
    seconds = {'ours': {'train': [1, 2, 9]}, 'original': {'train': [3, 8, 1]}}  # medians 2 and 3
    assert bench.ratio({'throughput': seconds}, 'ours', 'original', 'train') == pytest.approx(3)
    assert bench.ratio({'throughput': seconds}, 'original', 'ours', 'train') == pytest.approx(1 / 3)


def test_a_share_is_ours_in_the_matrix_products_rate():
    seconds = {'ours': {'infer': [2, 2, 2], 'dot': [1, 4, 2]}}
    assert bench.share({'throughput': seconds}, 'infer', 'ours', 'dot') == pytest.approx(
        bench.operations('infer') / bench.operations('dot'))


def test_a_contender_answers_with_seconds(tmp_path):
    script = tmp_path / 'sleeper.py'
    script.write_text(f'import sys, time; sys.path.append({str(ROOT)!r})\n'
                      'from benchmarks.serve import serve\n'
                      'serve({"nap": lambda: (time.sleep(0.2), print("not an answer"))})\n')
    sleeper = bench.Contender(sys.executable, script)
    assert sleeper.read() == 'ready'
    assert 0.2 <= sleeper.seconds('nap') < 10
    sleeper.process.communicate()


def test_a_contender_that_stops_says_why(tmp_path):
    script = tmp_path / 'broken.py'
    script.write_text('raise ValueError("no such net")')
    broken = bench.Contender(sys.executable, script)
    with pytest.raises(RuntimeError, match='broken.py.*\n(.*\n)*.*no such net'):
        broken.read()
    broken.process.communicate()


def test_a_contender_may_warn_as_much_as_it_likes(tmp_path):
    script = tmp_path / 'warner.py'
    script.write_text('import sys; sys.stderr.write("x" * 1_000_000); print("ready", flush=True)\n'
                      'raise ValueError("after the warnings")')
    warner = bench.Contender(sys.executable, script)
    warner.wait_until_ready()
    warner.process.wait()
    with pytest.raises(RuntimeError, match='after the warnings'):
        warner.seconds('nap')  # nobody is there to read the task


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('raport', 2)])
def test_help_and_unknown_arguments_measure_nothing(monkeypatch, argument, status):
    monkeypatch.setattr(bench, 'measure_throughput', None)
    monkeypatch.setattr(bench, 'write_report', None)
    with pytest.raises(SystemExit) as end:
        bench.main([argument])
    assert end.value.code == status


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--seed=3', 2), ('again', 2)])
def test_a_record_takes_no_arguments(monkeypatch, argument, status):
    monkeypatch.setattr(sys, 'argv', ['seeds_04.py', argument])
    with pytest.raises(SystemExit) as end:
        record.take_no_arguments('what it does')
    assert end.value.code == status


def test_a_script_that_fails_says_why():
    with pytest.raises(RuntimeError, match='rate(.*\n)*.*resnet19'):
        bench.run('rate', 19, 32, 2)


def test_one_point_of_the_scaling():
    point, seconds = bench.run('rate', 18, 32, 2, threads=1)
    assert point['images_a_second'] > 1 and 50 < point['megabytes'] < 2000
    assert 0 < point['first_step'] < seconds


def test_without_pytorch_the_benchmark_says_how_to_get_it(tmp_path):
    code = ('import benchmarks.bench as bench; from pathlib import Path\n'
            f'bench.PYTORCH = Path({str(tmp_path / "python")!r}); bench.main([])')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=os.environ, text=True,
                          capture_output=True)
    assert done.returncode == 1 and 'make bench' in done.stderr


def test_search_has_run_every_recipe_as_it_stands():
    record = json.loads(SEARCH.read_text())
    assert record['base'] == search_04.BASE and record['recipes'] == search_04.RECIPES
    assert {one['recipe'] for one in record['runs']} == set(search_04.RECIPES)


def test_only_the_winner_of_the_search_saw_the_test_images():
    runs = json.loads(SEARCH.read_text())['runs']
    validated = [one for one in runs if 'validation_acc' in one]
    tested = [one for one in runs if 'test_acc' in one]
    assert runs == validated + tested and [one['seed'] for one in tested] == [0, 1, 2, 3, 4]
    finalists = {one['recipe'] for one in validated if one['seed'] == 2}
    (winner,) = search_04.best([one for one in validated if one['recipe'] in finalists], 1)
    assert {one['recipe'] for one in tested} == {winner}


def test_search_prefers_the_better_mean_and_keeps_to_the_budget():
    def one(recipe, accuracy, seconds):
        return {'recipe': recipe, 'validation_acc': accuracy, 'seconds': seconds}

    runs = [one('lucky once', 0.9, 60), one('lucky once', 0.8, 60), one('steady', 0.87, 60),
            one('steady', 0.87, 60), one('slow', 0.95, 60), one('slow', 0.95, 80)]
    assert search_04.best(runs, 2) == ['steady', 'lucky once']


def test_slowest_items_are_read_from_what_pytest_prints():
    lines = ['=== slowest 10 durations ===',
             '104.63s call     notebooks/02_residual_block.ipynb::Cell 18',
             '66.37s setup    tests/test_assignments.py::test_release_is_not_stale',
             '=== 2 passed in 171.00s (0:02:51) ===']
    assert test_suite.slowest(lines) == [
        (104.63, 'call', 'notebooks/02_residual_block.ipynb::Cell 18'),
        (66.37, 'setup', 'tests/test_assignments.py::test_release_is_not_stale')]
