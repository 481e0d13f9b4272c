"""tools/explore_data.py: the nets and numbers that the site's explorables load."""
import json

import utils  # before mxnet, for its threads

import numpy as np
import onnxruntime
import pytest
from mxnet import nd

from tools import explore_data

MEGABYTES = 4  # a net at most


@pytest.fixture(scope='module', params=explore_data.NETS)
def exported(request):
    """A net, its exported parts, and pictures for it."""
    net, shape = explore_data.load(request.param), explore_data.NETS[request.param][3]
    content, places = explore_data.export(net, shape)
    pictures = np.random.RandomState(0).rand(8, *shape).astype(np.float32)
    return net, content, places, pictures


def through(content, places, parts, x):
    for part in parts:
        begin, end = places[part]
        x = onnxruntime.InferenceSession(content[begin:end]).run(['y'], {'x': x})[0]
    return x


def test_the_parts_in_a_row_are_the_net(exported):
    net, content, places, pictures = exported
    row = [part for part in places if not part.startswith('bare')]
    assert row[0] == 'stem' and row[-1] == 'head' and len(row) == len(net) - 3
    scores = net(nd.array(pictures)).asnumpy()
    assert abs(through(content, places, row, pictures) - scores).max() < 1e-4
    # And no part can be missed: another row gives something else.
    assert abs(through(content, places, row[:2] + row[3:], pictures) - scores).max() > 1e-2


def test_the_files_hold_together_and_are_small(exported):
    _, content, places, _ = exported
    ends = [0, *(end for _, end in places.values())]
    assert [begin for begin, _ in places.values()] == ends[:-1] and ends[-1] == len(content)
    assert len(content) < MEGABYTES * 1e6


def test_half_precision_loses_nothing(exported):
    net = exported[0]
    for name, parameter in net.collect_params('.*weight').items():
        weight = parameter.data().asnumpy()
        assert np.array_equal(weight, weight.astype(np.float16)), name


def test_a_bare_shortcut_is_notebook_07s(exported):
    _, content, places, pictures = exported
    first, second = [part for part in places if part.startswith('bare')]
    whole = pictures.shape[2]
    for part, channels, side in ((first, 16, whole), (second, 32, whole // 2)):
        x = np.random.RandomState(1).rand(2, channels, side, side).astype(np.float32)
        y = through(content, places, [part], x)
        assert np.array_equal(y[:, :channels], x[:, :, ::2, ::2]) and not y[:, channels:].any()
        assert y.shape[1] == 2 * channels


def test_the_images_are_notebook_07s():
    images, labels = explore_data.test_images(14)
    assert images.shape == (500, 1, 14, 14) and images.dtype == np.float32
    assert np.bincount(labels).tolist() == [50] * 10
    _, few = utils.load_data_fashion_mnist(500, resize=14, test_size=500)
    assert np.array_equal(next(iter(few))[0].asnumpy(), images)


def test_depths_are_the_recorded_errors():
    recorded, depths = explore_data.record('depths_01'), explore_data.depths()
    position = depths['depths'].index(56)
    run = recorded['runs']['plain-56, seed 1']
    assert depths['errors']['plain']['train'][position][1] == [
        pytest.approx(100 * (1 - row['train_acc']), abs=0.01) for row in run]


def test_the_walk_has_notebook_03s_numbers():
    walk = explore_data.walk()
    assert sum(part['parameters'] for part in walk['parts']) == 11_184_522
    assert [part['field'] for part in walk['parts']] == [11, 43, 99, 211, 435, None]
    for part in walk['parts'][:-1]:
        maps = walk['maps'][part['name']]
        assert maps['shape'][2:] == list(part['shape'][1:])
        assert max(maps['channels']) < part['shape'][0]
    assert np.allclose(np.sum(walk['probabilities'], axis=1), 1, atol=1e-3)
    json.dumps(walk)


def test_a_missing_record_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(explore_data, 'ROOT', tmp_path)
    with pytest.raises(FileNotFoundError, match='depths_01.json'):
        explore_data.depths()
