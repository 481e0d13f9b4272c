"""tools/env.sh: its messages, and which uv it takes."""
import os
import re
import shutil
import subprocess

import pytest
from rules import ROOT

UV = re.search(r'^UV=(\S+)', (ROOT / 'tools/env.sh').read_text('utf-8'), re.M).group(1)


@pytest.mark.parametrize(('system', 'machine', 'message', 'way_out'), [
    ('Darwin', 'arm64', 'MXNet has no build for Apple silicon', 'Rosetta'),
    ('MINGW64_NT-10.0', 'x86_64', 'MXNet 1.9.1 has no build for Windows', 'WSL'),
    ('Linux', 'riscv64', 'MXNet 1.9.1 has no build for Linux riscv64', 'x86-64 or aarch64'),
])
def test_set_up_names_the_way_out_of_an_unsupported_platform(
        tmp_path, system, machine, message, way_out):
    uname = tmp_path / 'uname'
    uname.write_text(f'#!/bin/sh\n[ "$1" = -s ] && echo {system} || echo {machine}\n')
    uname.chmod(0o755)
    env = {'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    done = subprocess.run([ROOT / 'tools/env.sh', 'series'], env=env, capture_output=True,
                          text=True)
    assert done.returncode == 1
    assert message in done.stderr and way_out in done.stderr and 'Binder' in done.stderr


@pytest.mark.parametrize('platform', ['Linux aarch64', 'Darwin x86_64'])
def test_set_up_for_a_gpu_names_the_platforms_that_have_none(tmp_path, platform):
    uname = tmp_path / 'uname'
    system, machine = platform.split()
    uname.write_text(f'#!/bin/sh\n[ "$1" = -s ] && echo {system} || echo {machine}\n')
    uname.chmod(0o755)
    env = {'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    done = subprocess.run([ROOT / 'tools/env.sh', 'gpu'], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "MXNet's CUDA build is for Linux x86-64 only" in done.stderr


def test_set_up_on_aarch64_gives_mxnet_another_blas(tmp_path):
    bin, libs = tmp_path / 'bin', tmp_path / '.venv/lib/python3.11/site-packages'
    for folder in (bin, tmp_path / '.venv/bin', libs / 'mxnet', libs / 'scipy.libs'):
        folder.mkdir(parents=True)
    shutil.copytree(ROOT / 'tools', tmp_path / 'tools')
    (libs / 'scipy.libs/libopenblasp-r0-1.so').write_text('OpenBLAS')
    for name, body in [(bin / 'uname', '[ "$1" = -s ] && echo Linux || echo aarch64'),
                       (bin / 'uv', f'echo uv {UV}'), (tmp_path / '.venv/bin/python', 'true')]:
        name.write_text(f'#!/bin/sh\n{body}\n')
        name.chmod(0o755)
    env = {'PATH': f'{bin}:{os.environ["PATH"]}'}
    subprocess.run([tmp_path / 'tools/env.sh', 'series'], env=env, check=True, capture_output=True)
    for name in ('libarmpl_lp64_mp.so', 'libamath.so', 'libastring.so'):
        assert (libs / 'mxnet' / name).read_text() == 'OpenBLAS'


def fake(path, *lines):
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(['#!/bin/sh', *lines]) + '\n')
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path):
    """A folder with the script in it, and a PATH with nothing but what it must have."""
    (tmp_path / 'tools').mkdir()
    shutil.copy(ROOT / 'tools/env.sh', tmp_path / 'tools')
    for tool in ('dirname', 'uname', 'rm', 'touch'):
        (tmp_path / 'bin' / tool).parent.mkdir(exist_ok=True)
        (tmp_path / 'bin' / tool).symlink_to(shutil.which(tool))
    return tmp_path


def run(folder, *arguments):
    return subprocess.run(['/bin/sh', folder / 'tools/env.sh', *arguments], text=True,
                          env={'PATH': str(folder / 'bin')}, capture_output=True)


def test_set_up_without_python_names_the_way_out(bare):
    done = run(bare, 'uv', '--version')
    assert done.returncode == 1
    assert 'no Python 3.8 or newer' in done.stderr and 'no uv' in done.stderr
    assert 'https://' in done.stderr


def test_uv_of_our_version_is_used_as_it_is(bare):
    fake(bare / 'bin/uv', f'echo uv {UV}')
    assert run(bare, 'uv', '--version').stdout == f'uv {UV}\n'
    assert not (bare / '.uv').exists()


def test_uv_of_another_version_only_fetches_ours(bare):
    fake(bare / 'ours', f'echo uv {UV} "$@"')
    fake(bare / 'bin/uv', f'PATH={os.environ["PATH"]}', 'case "$1 $2" in',
         "'pip install') mkdir -p .uv/bin; cp ours .uv/bin/uv ;;", '*) echo uv 0.1.0 ;;', 'esac')
    assert run(bare, 'uv', 'hello').stdout == f'uv {UV} hello\n'


def test_a_failed_set_up_leaves_no_stamp(bare):
    fake(bare / 'bin/uv', '[ "$1" = pip ] && exit 1', f'echo uv {UV}')
    fake(bare / '.venv-site/bin/python', 'exit 0')
    (bare / '.venv-site/installed').touch()
    done = run(bare, 'site')
    assert done.returncode == 1 and 'the packages could not be installed' in done.stderr
    assert not (bare / '.venv-site/installed').exists()
