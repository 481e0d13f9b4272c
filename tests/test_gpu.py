"""tools/gpu.py and requirements/gpu.txt, on machines without a GPU."""
import os
import re
import shutil
import subprocess
import sys

import pytest
from rules import ROOT

from tools import gpu


@pytest.fixture
def site(tmp_path):
    """A folder of packages with MXNet and one of CUDA's libraries, each an empty file."""
    for name in ('mxnet/libmxnet.so', 'nvidia/cudnn/lib/libcudnn.so.8'):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def ldd(tmp_path, monkeypatch):
    """An ldd that misses the libraries it is given by calling the fixture's value."""
    def misses(*names):
        lines = ['libc.so.6 => /lib/libc.so.6 (0x1)', *(f'{name} => not found' for name in names)]
        script = tmp_path / 'ldd'
        script.write_text('#!/bin/sh\n' + ''.join(f'echo "\t{line}"\n' for line in lines))
        script.chmod(0o755)
        monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    return misses


def test_cuda_is_linked_into_the_folder_of_mxnet(site):
    for _ in range(2):  # the second time there are links already
        assert gpu.link(site) == [site / 'mxnet/libcudnn.so.8']
        assert os.readlink(site / 'mxnet/libcudnn.so.8') == '../nvidia/cudnn/lib/libcudnn.so.8'
    assert (site / 'mxnet/libcudnn.so.8').samefile(site / 'nvidia/cudnn/lib/libcudnn.so.8')


def test_missing_library_is_named(site, ldd, capsys):
    ldd('libcuda.so.1', 'libquadmath.so.0')
    assert gpu.main(site) == 1
    err = capsys.readouterr().err
    assert 'Not found: libquadmath.so.0.\n' in err and 'apt install libgomp1 libquadmath0' in err


@pytest.mark.parametrize(('driver', 'gpus', 'status', 'message'), [
    (None, [], 1, 'no NVIDIA driver (libcuda.so.1)'),
    ('/wsl/libcuda.so.1.1', [], 1, 'MXNet can use no GPU'),
    ('/wsl/libcuda.so.1.1', ['gpu(0)', 'gpu(1)'], 0, 'MXNet uses gpu(0), gpu(1)'),
])
def test_what_the_machine_has_is_told(site, ldd, monkeypatch, capsys, driver, gpus, status,
                                      message):
    ldd('libcuda.so.1')
    monkeypatch.setattr(gpu, 'driver', lambda: driver)
    monkeypatch.setattr(gpu, 'gpus', lambda: gpus)
    assert gpu.main(site) == status
    assert message in ''.join(capsys.readouterr())
    assert not driver or os.readlink(site / 'mxnet/libcuda.so') == driver


def test_lock_is_all_pinned_and_stays_apart_from_the_other():
    def pins(name):
        lines = [line.split('#')[0].strip() for line in (ROOT / name).read_text().splitlines()]
        return dict(re.fullmatch(r'([\w-]+)==(\S+)', line).groups()
                    for line in lines if line and ' ;' not in line)
    cuda, cpu = pins('requirements/gpu.txt'), pins('requirements.txt')
    assert cuda['mxnet-cu117'] == cpu['mxnet']
    assert not cuda.keys() & cpu.keys()


@pytest.mark.skipif(not shutil.which('make'), reason='no make')
@pytest.mark.parametrize(('ready', 'used'), [('.venv-gpu', '.venv-gpu'), ('.venv', '.venv')])
def test_make_uses_the_gpu_once_one_has_worked(tmp_path, ready, used):
    for name in ('Makefile', 'requirements.txt'):
        shutil.copy(ROOT / name, tmp_path)
    for name in ('requirements', 'tools'):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / '.venv-gpu').mkdir()
    (tmp_path / ready / 'bin').mkdir(parents=True)
    (tmp_path / ready / 'bin' / 'python').symlink_to(sys.executable)
    (tmp_path / ready / 'installed').touch()
    done = subprocess.run(['make', '--no-print-directory', '-n', 'run'], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.stdout.split()[0] == f'{used}/bin/python'
