"""Nets leave MXNet and come in: ONNX, safetensors, .pth, the hub; and files that are refused."""
import utils  # isort: skip  before mxnet, for its threads

import hashlib
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
import pytest
from mxnet import init, nd
from PIL import Image
from rules import ROOT

import checkpoint
import export
import nets
import onnx_files
import predict
import resnet
import torch_files

ABOUT = {'depth': 18, 'classes': ['猫', 'a dog', 'it, "so"'], 'stride_on_first': False, 'size': 24,
         'grey': False, 'mean': [0.5, 0.4, 0.3], 'std': [0.2, 0.25, 0.3]}


def ready(net, shape):
    """The net with weights and BN statistics that are all different."""
    utils.seed_everything(0)
    net.initialize(init.MSRAPrelu(factor_type='in', slope=0))
    net(nd.zeros((1, *shape)))
    for p in net.collect_params().values():
        if p.name.endswith(('gamma', 'running_var')):
            p.set_data(nd.random.uniform(0.5, 1, p.shape))
        elif p.name.endswith(('beta', 'running_mean')):
            p.set_data(nd.random.uniform(-0.1, 0.1, p.shape))
    return net


def new_net(about=ABOUT):
    net = ready(nets.new_net(about), (1 if about['grey'] else 3, 24, 24))
    net[-1].weight.set_data(net[-1].weight.data() / 10)  # or it would be sure of everything
    return net


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    utils.free_memory()
    path = tmp_path_factory.mktemp('saved') / 'best.ckpt'
    checkpoint.save(path, new_net(), ABOUT)
    return path


@pytest.fixture(scope='module')
def exported(saved):
    """(NET.onnx, NET.safetensors) of the checkpoint."""
    paths = saved.with_name('net.onnx'), saved.with_name('net.safetensors')
    for path in paths:
        assert export.main([str(saved), str(path)]) == 0
    return paths


@pytest.fixture
def folder(tmp_path):
    for number, colour in enumerate(('white', 'blue', 'darkred')):
        Image.new('RGB', (30, 40), colour).save(tmp_path / f'{number} 图.png')
    (tmp_path / 'no picture.jpg').write_text('none')
    return tmp_path


# ---------------------------------------------------------------------------------------------
# ONNX

NETS = {
    'our ResNet-18': (lambda: resnet.ResNet(10), (1, 48, 48)),
    **{f'resnet{depth}': (getattr(resnet, f'resnet{depth}'), (3, 32, 32))
       for depth in (18, 34, 50, 101, 152)},
    'resnet50, v1': (lambda: resnet.resnet50(7, stride_on_first=True), (3, 32, 32)),
    'plain': (lambda: resnet.cifar_net(8, resnet.PlainBlock), (1, 14, 14)),
    'option A': (lambda: resnet.cifar_net(8, resnet.ShortcutBlock), (1, 14, 14)),
    **{shortcut: (lambda shortcut=shortcut: resnet.cifar_resnet(8, shortcut), (3, 16, 16))
       for shortcut in resnet.SHORTCUTS},
    **{order: (lambda order=order: resnet.cifar_resnet(8, order=order), (3, 16, 16))
       for order in resnet.ORDERS},
}


@pytest.mark.parametrize('name', NETS)
def test_every_net_of_the_series_says_the_same_by_onnx(name):
    make, shape = NETS[name]
    utils.free_memory()
    net = ready(make(), shape)
    model = onnx_files.graph(net, shape)
    assert [value.name for value in model.graph.input] == ['pixels']  # and no weights
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for batch in (1, 3):
        x = nd.random.uniform(shape=(batch, *shape))
        wanted = net(x).asnumpy()
        [found] = session.run(['scores'], {'pixels': x.asnumpy()})
        assert abs(found - wanted).max() <= 1e-5 * max(1, abs(wanted).max())


def test_onnxruntime_puts_bn_into_the_convolutions(tmp_path):
    """It does so only for versions of the operators that it knows."""
    model = onnx_files.graph(ready(resnet.ResNet(10), (1, 48, 48)), (1, 48, 48))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / 'fused.onnx')
    onnxruntime.InferenceSession(model.SerializeToString(), options)
    kinds = {node.op_type for node in onnx.load(tmp_path / 'fused.onnx').graph.node}
    assert 'Conv' in kinds and 'BatchNormalization' not in kinds


def test_onnx_file_says_what_it_takes(exported):
    model = onnx.load(exported[0])
    onnx.checker.check_model(model, full_check=True)
    [about] = [item.value for item in model.metadata_props if item.key == 'about']
    assert json.loads(about) == {'format': 1, **ABOUT}
    used = {name for node in model.graph.node for name in node.input}
    assert {weight.name for weight in model.graph.initializer} <= used


def test_predict_by_onnx_gives_the_same_words_without_mxnet(saved, exported, folder, capfd):
    assert predict.main([str(saved), str(folder), '--top', '3']) == 1
    wanted = capfd.readouterr()
    hidden = 'import runpy, sys; sys.modules["mxnet"] = None; sys.argv = sys.argv[1:]; ' \
        'runpy.run_path(sys.argv[0], run_name="__main__")'
    done = subprocess.run([sys.executable, '-c', hidden, ROOT / 'scripts' / 'predict.py',
                           exported[0], folder, '--top', '3'], capture_output=True, text=True)
    assert done.stdout == wanted.out and done.stderr == wanted.err and done.returncode == 1
    assert '猫' in done.stdout and 'no picture.jpg' in done.stderr


def test_export_refuses_a_file_that_differs(saved, tmp_path, monkeypatch, capsys):
    to_onnx = onnx_files.to_onnx

    def other(net, about):
        return to_onnx(net, {**about, 'mean': [0.4, 0.4, 0.3]})
    monkeypatch.setattr(onnx_files, 'to_onnx', other)
    assert export.main([str(saved), str(tmp_path / 'net.onnx')]) == 1
    assert 'would differ' in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_grey_net(tmp_path, capsys):
    about = {**ABOUT, 'grey': True, 'mean': [0.5], 'std': [0.2]}
    checkpoint.save(tmp_path / 'grey.ckpt', new_net(about), about)
    assert export.main([str(tmp_path / 'grey.ckpt'), str(tmp_path / 'grey.onnx')]) == 0
    assert 'differ from MXNet' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['net.onnx', 'net.safetensors'])
def test_nothing_is_overwritten(saved, tmp_path, name, capsys):
    (tmp_path / name).write_text('mine')
    assert export.main([str(saved), str(tmp_path / name)]) == 1
    assert 'exists already' in capsys.readouterr().err
    assert (tmp_path / name).read_text() == 'mine'


def test_no_other_kind_of_file_is_promised(saved, tmp_path):
    with pytest.raises(SystemExit):
        export.main([str(saved), str(tmp_path / 'net.pth')])


# ---------------------------------------------------------------------------------------------
# PyTorch's files; tests/torch/test_exchange.py reads and writes them by PyTorch itself


@pytest.mark.parametrize('depth', [18, 50])
def test_names_lead_there_and_back(depth):
    net = getattr(resnet, f'resnet{depth}')(3)
    names = list(net._collect_params_with_prefix())
    theirs = [torch_files.torch_name(name) for name in names]
    assert [torch_files.our_name(name) for name in theirs] == names
    assert {'conv1.weight', 'bn1.running_var', 'layer2.0.downsample.1.bias', 'fc.bias',
            f'layer4.1.bn{3 if depth == 50 else 2}.weight'} < set(theirs)


def test_safetensors_come_in_again(saved, exported):
    net, about = checkpoint.load(exported[1], mx.cpu())
    before, _ = checkpoint.load(saved, mx.cpu())
    assert about == {'format': 1, **ABOUT}
    for one, other in zip(before.collect_params().values(), net.collect_params().values(),
                          strict=True):
        assert np.array_equal(one.data().asnumpy(), other.data().asnumpy())


def test_a_net_that_torchvision_has_not_stays(tmp_path, capsys):
    about = {**ABOUT, 'depth': 50, 'stride_on_first': True}
    utils.free_memory()
    checkpoint.save(tmp_path / 'old.ckpt', new_net(about), about)
    assert export.main([str(tmp_path / 'old.ckpt'), str(tmp_path / 'new.safetensors')]) == 1
    assert 'torchvision has no such net' in capsys.readouterr().err


class Storage:
    """What torch.save's pickle refers to in place of numbers."""

    def __init__(self, key, count):
        self.id = 'storage', Global('torch FloatStorage'), key, 'cpu', count


class Global:
    """Pickled as a name that the reader is to look up."""

    def __init__(self, name, *arguments):
        self.name, self.arguments = name, arguments

    def __reduce__(self):
        raise AssertionError  # written by hand below


def pickled(value):
    """Protocol 0 of the little that a state dictionary needs: dict, str, int, tuple, calls."""
    if isinstance(value, dict):
        return b'(' + b''.join(pickled(item) for pair in value.items() for item in pair) + b'd'
    if isinstance(value, tuple):
        return b'(' + b''.join(map(pickled, value)) + b't'
    if isinstance(value, str):
        return b'V' + value.encode('raw-unicode-escape') + b'\n'
    if isinstance(value, int):
        return f'I{value}\n'.encode()
    if isinstance(value, Storage):
        return pickled(value.id) + b'Q'
    look_up = b'c' + value.name.replace(' ', '\n').encode() + b'\n'
    return look_up + (pickled(value.arguments) + b'R' if value.arguments else b'')


def tensor(key, shape):
    strides = tuple(int(np.prod(shape[i + 1:])) for i in range(len(shape)))
    return Global('torch._utils _rebuild_tensor_v2', Storage(key, int(np.prod(shape))), 0, shape,
                  strides, 0)


def write_pth(path, state, contents, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.writestr('net/data.pkl', pickled(state) + b'.')
        for key, content in contents.items():
            archive.writestr(f'net/data/{key}', content)


def state_of(net):
    """(state, contents) for write_pth."""
    state, contents = {}, {}
    for number, (name, p) in enumerate(net._collect_params_with_prefix().items()):
        state[torch_files.torch_name(name)] = tensor(str(number), p.shape)
        contents[str(number)] = p.data().asnumpy().tobytes()
    return state, contents


def refusal(path):
    with pytest.raises(ValueError, match='cannot be used') as caught:
        checkpoint.load(path, mx.cpu())
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_pth_is_read(tmp_path):
    net = new_net()
    write_pth(tmp_path / 'net.pth', *state_of(net))
    found, about = checkpoint.load(tmp_path / 'net.pth', mx.cpu())
    x = nd.random.uniform(shape=(2, 3, 24, 24))
    assert np.array_equal(net(x).asnumpy(), found(x).asnumpy())
    assert about == {'depth': 18, 'classes': ['0', '1', '2'], 'stride_on_first': False,
                     'grey': False, **torch_files.IMAGENET}


@pytest.mark.parametrize('call', [
    ('posix system', 'touch {}'), ('builtins eval', 'open("{}", "w")'),
    ('builtins getattr', 'x', 'y'), ('subprocess getoutput', 'touch {}')], ids=lambda call: call[0])
def test_nothing_in_a_pth_is_run(tmp_path, call):
    trace = tmp_path / 'trace'
    state, contents = state_of(new_net())
    name, *arguments = call
    state['fc.bias'] = Global(name, *(text.format(trace) for text in arguments))
    write_pth(tmp_path / 'net.pth', state, contents)
    assert 'nothing was run' in refusal(tmp_path / 'net.pth')
    assert not trace.exists()


def test_damaged_and_foreign_pth(tmp_path):
    state, contents = state_of(new_net())
    path = tmp_path / 'net.pth'
    path.write_bytes(pickle.dumps({'a': 1}))
    assert 'before 1.6' in refusal(path)
    write_pth(path, state, contents, zipfile.ZIP_DEFLATED)
    assert 'compressed' in refusal(path)
    write_pth(path, state, {**contents, '0': contents['0'][:-4]})
    assert 'bytes missing' in refusal(path)
    write_pth(path, {**state, 'conv1.weight': tensor('1', (8,))}, contents)
    refusal(path)
    write_pth(path, {name: state[name] for name in state if 'layer4' not in name}, contents)
    assert 'another net' in refusal(path)
    write_pth(path, {'epoch': 3, 'state_dict': state}, contents)
    assert 'no dictionary of weights' in refusal(path)
    write_pth(path, state, contents)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert 'checksum' in refusal(path)


def test_a_tensor_does_not_reach_beyond_its_numbers(tmp_path):
    state, contents = state_of(new_net())
    for offset, shape, strides in ((62, (3,), (1,)), (0, (3,), (0,)), (-1, (3,), (1,))):
        bad = {**state, 'fc.bias': Global('torch._utils _rebuild_tensor_v2', Storage('1', 64),
                                          offset, shape, strides, 0)}
        write_pth(tmp_path / 'net.pth', bad, contents)
        assert 'row by row' in refusal(tmp_path / 'net.pth')


def test_damaged_and_foreign_safetensors(exported, tmp_path):
    from safetensors.numpy import save_file
    path, content = tmp_path / 'net.safetensors', exported[1].read_bytes()
    path.write_bytes(content[:-100])
    refusal(path)
    path.write_bytes(b'\xff' * 8 + content[8:])
    refusal(path)
    save_file({'conv1.weight': np.zeros((3, 3), np.float32)}, path)
    assert 'another net' in refusal(path)
    save_file({'conv1.weight': np.zeros((3, 3), np.float16)}, path)
    assert 'conv1.weight is float16' in refusal(path)
    path.write_bytes(content.replace(b'size', b'sise', 1))
    assert 'damaged' in refusal(path)


@pytest.mark.parametrize('content', [b'', b'nothing', None], ids=['empty', 'foreign', 'cut short'])
def test_damaged_onnx(exported, tmp_path, folder, content, capsys):
    path = tmp_path / 'net.onnx'
    path.write_bytes(exported[0].read_bytes()[:-1000] if content is None else content)
    assert predict.main([str(path), str(folder)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f'predict.py: {path}') and err.count('\n') == 1


def test_onnx_of_another_program(tmp_path, folder, capsys):
    net = ready(resnet.cifar_net(8, resnet.PlainBlock), (1, 14, 14))
    (tmp_path / 'net.onnx').write_bytes(onnx_files.graph(net, (1, 14, 14)).SerializeToString())
    assert predict.main([str(tmp_path / 'net.onnx'), str(folder)]) == 1
    assert 'scripts/export.py' in capsys.readouterr().err


def test_weights_without_names_of_classes_are_only_to_begin_with(tmp_path, folder, capsys):
    write_pth(tmp_path / 'net.pth', *state_of(new_net()))
    assert predict.main([str(tmp_path / 'net.pth'), str(folder)]) == 1
    assert '--init-from' in capsys.readouterr().err
    assert export.main([str(tmp_path / 'net.pth'), str(tmp_path / 'net.onnx')]) == 1
    assert '--init-from' in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------
# The hub


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as Hugging Face's hub does for one file, `content`; sends `sent` bytes of it."""

    content, sent, asked = b'', None, []

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.asked.append((self.command, self.path))
        begin, status = 0, 200
        if unit := self.headers.get('Range'):
            begin, status = int(unit.removeprefix('bytes=').partition('-')[0]), 206
        self.send_response(status)
        self.send_header('ETag', f'"{hashlib.sha256(Hub.content).hexdigest()}"')
        self.send_header('X-Repo-Commit', 'a' * 40)
        self.send_header('Accept-Ranges', 'bytes')
        size = len(Hub.content)
        self.send_header('Content-Range', f'bytes {begin}-{size - 1}/{size}')
        self.send_header('Content-Length', str(size - begin))
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(Hub.content[begin:Hub.sent])
            self.close_connection = True

    def log_message(self, *_):
        pass


FETCH = 'import sys; sys.path.insert(0, sys.argv[1]); import torch_files\n' \
    'try: print(torch_files.fetch(18))\nexcept OSError as error: sys.exit(str(error))'


def fetch(port, home):
    """What torch_files.fetch does in a process of its own, with a hub on this port of loopback."""
    settings = {'HF_ENDPOINT': f'http://127.0.0.1:{port}', 'HF_HOME': str(home),
                'NO_PROXY': '127.0.0.1', 'HF_HUB_ETAG_TIMEOUT': '2', 'HF_HUB_DOWNLOAD_TIMEOUT': '2'}
    return subprocess.run([sys.executable, '-c', FETCH, ROOT / 'scripts'], capture_output=True,
                          text=True, timeout=120, env={**os.environ, **settings})


@pytest.fixture
def hub(exported, monkeypatch):
    monkeypatch.setattr(Hub, 'content', exported[1].read_bytes())
    monkeypatch.setattr(Hub, 'asked', [])
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_weights_are_fetched_once_and_checked(hub, tmp_path):
    done = fetch(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.read_bytes() == Hub.content
    get = 'GET', '/timm/resnet18.tv_in1k/resolve/main/model.safetensors'
    assert fetch(hub, tmp_path).stdout == done.stdout
    assert Hub.asked.count(get) == 1, Hub.asked
    assert fetch(1, tmp_path).stdout == done.stdout  # without a network, too
    with path.open('r+b') as file:
        file.seek(1000)
        file.write(b'damage')
    again = fetch(hub, tmp_path)
    assert again.returncode == 1 and 'is damaged: remove it' in again.stderr


def test_hub_that_cuts_off_and_goes_on(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(Hub, 'sent', 1_000_000)
    done = fetch(hub, tmp_path)
    assert done.returncode == 1 and 'could not be fetched' in done.stderr.splitlines()[-1]
    assert '--init-from FILE' in done.stderr.splitlines()[-1]
    monkeypatch.setattr(Hub, 'sent', None)
    assert fetch(hub, tmp_path).returncode == 0


def test_hub_that_is_silent_or_not_there(silent_host, tmp_path):
    for port in (silent_host.getsockname()[1], 1):
        done = fetch(port, tmp_path)
        assert done.returncode == 1
        assert 'could not be fetched' in done.stderr.splitlines()[-1]
        assert '--init-from FILE' in done.stderr.splitlines()[-1]


def test_import_utils_brings_none_of_it():
    script = 'import utils, sys; print(*{"onnxruntime", "safetensors", "huggingface_hub"} & ' \
        'set(sys.modules))'  # onnx comes with MXNet, where it is there
    done = subprocess.run([sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == '\n', done.stderr
