"""tools/challenge.py: entries are trained under the clock, and hostile ones are told apart."""
import os
import runpy
import subprocess
import time

import utils  # noqa: F401  before mxnet, for its threads

import numpy as np
import pytest
from rules import ROOT

from tools import challenge
from tools.challenge_entry import broken_rule

# Knows the training images' mean brightness of each class, and nothing else: some 0.26.
NEAREST = '''
import numpy as np

def train(images, labels, seconds):
    assert images.shape == (60000, 28, 28) and labels.shape == (60000,) and 0 < seconds < 60
    means = np.array([images[labels == c].mean() for c in range(10)])
    return lambda images: abs(images.mean(axis=(1, 2))[:, None] - means).argmin(axis=1)
'''


def hostile(line):
    return f'def train(images, labels, seconds):\n    import os, time\n    {line}\n'


TEST_IMAGES = ROOT / 'data' / 'fashion-mnist' / 't10k-images-idx3-ubyte.gz'
ENTRIES = {
    'busy': ('while True: pass', 'slow', 'not ready after'),
    'sleepy': ('time.sleep(1000)', 'asleep', 'not ready after'),
    'greedy': ('import numpy; numpy.ones(2 * 10 ** 8)', 'memory', 'more than 1000 MB'),
    'reads': (f'open({str(TEST_IMAGES)!r})', 'rule', f'it opened {TEST_IMAGES}'),
    'reads and hides it': (f'try: os.open({str(TEST_IMAGES)!r}, 0)\n    except OSError: pass',
                           'rule', f'it opened {TEST_IMAGES}'),
    'loads weights': (f"import mxnet; mxnet.nd.load({str(ROOT / 'LICENSE')!r})", 'rule',
                      'it called MXNDArrayLoad of a C library'),
    'asks utils': ("import utils; utils.read_fashion_mnist('test')", 'rule',
                   f'it opened {ROOT / "data"}'),
    'forks': ('os.fork()', 'rule', 'it started another process (os.fork)'),
    'falls': ("raise KeyError('oh')", 'crashed', "KeyError: 'oh'"),
    'leaves': ('raise SystemExit(0)', 'crashed', 'SystemExit: 0'),
    'dies': ('os.abort()', 'crashed', 'killed by signal 6'),
    'ends quietly': ('os._exit(0)', 'crashed', 'ended with status 0'),
    'returns nothing': ('pass', 'crashed', 'train returned NoneType'),
    'says too little': ('return lambda images: images[:7, 0, 0]', 'crashed',
                        'predict returned the shape (7,), not (10000,)'),
    'says words': ("return lambda images: ['shirt'] * 10000", 'crashed', 'not numbers'),
}


@pytest.mark.parametrize('name', ENTRIES)
def test_hostile_and_broken_entries_are_told_apart(name):
    line, verdict, why = ENTRIES[name]
    result = challenge.judge(name, hostile(line).encode(), 15, 1000)
    assert (result['verdict'], why in result['why']) == (verdict, True), result
    assert 'accuracy' not in result


def test_a_file_that_could_hold_weights_is_not_run():
    result = challenge.judge('large', b'#' * 100_001)
    assert (result['verdict'], result['why'][:26]) == ('rule', 'the file has 100,001 bytes')


def test_ours_are_kept_with_their_files_and_nothing_is_lost(tmp_path):
    entries, out = tmp_path / 'entries', tmp_path / 'a table'
    entries.mkdir()
    (entries / 'b.py').write_text(NEAREST)
    (entries / 'a.py').write_text('1 / 0')
    command = ['make', 'challenge', f'NET={entries}',
               f'OPTIONS=--seconds 60 --out "{out}"']
    for times in (1, 2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        rows = challenge.read_table(out / 'results.csv')
        assert [row['entry'] for row in rows] == ['a', 'b'] * times
    a, b = rows[:2]
    assert (a['verdict'], a['accuracy'], a['why']) == ('crashed', '',
                                                       'ZeroDivisionError: division by zero')
    assert b['verdict'] == 'ok' and 0.2 < float(b['accuracy']) < 0.4 and float(b['seconds']) < 60
    kept = out / f'b-{b["sha256"][:8]}.py'
    assert kept.read_text() == NEAREST
    lines = done.stdout.split('\n\n')[1].splitlines()
    assert [line.split()[0] for line in lines] == ['ok', 'ok', 'crashed', 'crashed']


def test_without_an_entry_one_line_says_what_to_do(tmp_path):
    for net, words in (('', 'make challenge NET=file.py'), (tmp_path, 'There is no .py file in'),
                       (tmp_path / 'none.py', 'name a Python file')):
        done = subprocess.run(['make', 'challenge', f'NET={net}'], cwd=ROOT, capture_output=True,
                              text=True, env=os.environ | {'OPTIONS': f'--out {tmp_path}'})
        assert done.returncode and words in done.stderr.splitlines()[0]


def test_the_entrys_own_folder_is_its_own(tmp_path):
    folders = [tmp_path]
    (tmp_path / 'link').symlink_to(TEST_IMAGES)
    assert broken_rule('open', (tmp_path / 'best.npy', 'w', 0), folders) is None
    assert broken_rule('open', (3, 'r', 0), folders) is None
    assert broken_rule('open', (ROOT / 'resnet.py', 'r', 0), folders) is None
    assert broken_rule('import', ('os',), folders) is None
    assert 't10k' in broken_rule('open', (tmp_path / 'link', 'r', 0), folders)
    assert 't10k' in broken_rule('os.link', (TEST_IMAGES, tmp_path / 'x', -1, -1), folders)
    assert 'network' in broken_rule('socket.connect', (None, ('localhost', 1)), folders)


def test_answers_are_compared_in_the_order_that_was_asked():
    _, labels = utils.read_fashion_mnist('test')
    order = np.random.default_rng(0).permutation(10_000)
    assert challenge.accuracy(labels[order], order) == 1
    assert challenge.accuracy(labels, order) < 0.2


@pytest.mark.parametrize(('name', 'seconds', 'least'), [('example', 16, 0.6), ('ours', 0, 0.75)])
def test_the_entries_that_we_hand_out_learn(name, seconds, least):
    names = runpy.run_path(str(ROOT / 'assignments' / 'challenge' / f'{name}.py'))
    images, labels = utils.read_fashion_mnist('train', 2560)
    predict = names['train'](images, labels, seconds)
    images, labels = utils.read_fashion_mnist('test', 500)
    assert (predict(images) == labels).mean() > least


def test_messages_that_come_together_are_all_heard(monkeypatch):
    def slow(process):
        time.sleep(1)  # several messages are waiting afterwards
        return 0., 0.

    monkeypatch.setattr(challenge, 'used', slow)
    entry = hostile('return lambda images: images[:, 0, 0]')
    assert challenge.judge('quick', entry.encode(), 40)['verdict'] == 'ok'
