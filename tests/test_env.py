"""tools/env.sh: its messages, and which uv it takes. The Makefile: what it runs, and where."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

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


def test_set_up_with_an_unknown_name_only_lists_the_known(bare):
    (bare / 'bin/sed').symlink_to(shutil.which('sed'))
    for arguments, status in ((['--help'], 0), (['nonsense'], 2), ([], 2)):
        done = run(bare, *arguments)
        assert done.returncode == status and 'tools/env.sh series' in done.stdout
    assert sorted(path.name for path in bare.iterdir()) == ['bin', 'tools']


@pytest.mark.parametrize('script', ['tools/env.sh', 'tools/check_platforms.sh', '.ci/run'])
def test_scripts_work_in_their_own_folder_whatever_cdpath_says(tmp_path, script):
    for name in ('ours', 'other'):
        for file in ('tools/env.sh', 'tools/check_platforms.sh', '.ci/run'):
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, tmp_path / name / file)
        fake(tmp_path / name / '.venv/bin/python', 'exit 1')
        (tmp_path / name / 'build').mkdir()
    for tool in ('uv', 'make'):
        fake(tmp_path / 'bin' / tool, f'echo {name if tool == "make" else "uv"} {UV}', 'pwd >> '
             + shlex.quote(str(tmp_path / 'ran-in')))
    env = {'PATH': f'{tmp_path / "bin"}:{os.environ["PATH"]}', 'CDPATH': str(tmp_path / 'other')}
    arguments = ['series'] if script == 'tools/env.sh' else []
    subprocess.run([script, *arguments], cwd=tmp_path / 'ours', env=env, capture_output=True)
    assert set((tmp_path / 'ran-in').read_text().splitlines()) == {str(tmp_path / 'ours')}
    assert (tmp_path / 'other/.venv').is_dir()


# ---------------------------------------------------------------------------------------------
# The Makefile, with a Python that only notes how it was called

# Names of folders, of the repository as of what a user hands over. No path may hold a slash or NUL.
NAMES = ['plain', 'two words', "Ada's", 'a "b"', 'cost$HOME$(HOME)', 'a[1-9]', '{a,b}',
         '(a)', 'a;b', 'a&b', 'a|b', 'a*?', '#a', '~a', '-a', '--help', 'a=b', 'a,b', '\\a\\',
         '`id`', '!a', '<a>', 'Zoë 书', 'a\nb', '.a', 'a.']
REFUSED = ['a:b', '100%']  # of the repository
TARGETS = ['run', 'lab', 'test', 'fuzz', 'lint', 'bench', 'site', 'epub', 'test-browser',
           'assignments', 'grade', 'marks', 'store', 'urls']
# What another Python, Jupyter or MXNet job may have set: each changes what a kernel does or prints.
FOREIGN = {'PYTHONWARNINGS': 'default', 'PYTHONOPTIMIZE': '1', 'PYTHONPATH': '/elsewhere',
           'PYTHONHASHSEED': '3', 'PYTHONSTARTUP': '/elsewhere/start.py',
           'IPYTHON_SUPPRESS_CONFIG_ERRORS': '0', 'JUPYTER_PATH': '/elsewhere',
           'JUPYTER_CONFIG_DIR': '/elsewhere', 'JUPYTERLAB_DIR': '/elsewhere', 'MPLBACKEND': 'none',
           'MATPLOTLIBRC': '/elsewhere', 'MPLCONFIGDIR': '/elsewhere', 'IPYTHONDIR': '/elsewhere',
           'DMLC_ROLE': 'server', 'MXNET_ENGINE_TYPE': 'NaiveEngine', 'MXNET_MKLDNN_ENABLED': '0',
           'MXNET_PROFILER_AUTOSTART': '1'}
# What a user has set for this very machine.
OWN = ['MXNET_HOME', 'MXNET_GLUON_REPO', 'MXNET_USE_FUSION', 'MXNET_GPU_MEM_POOL_TYPE',
       'OMP_NUM_THREADS', 'HTTPS_PROXY']


@pytest.fixture
def make(tmp_path):
    """A function that makes targets in a copy of the Makefile, in a folder with the given name."""
    def run(name, *arguments, **environment):
        folder = tmp_path / name
        shutil.copytree(ROOT / 'requirements', folder / 'requirements')
        shutil.copytree(ROOT / 'tools', folder / 'tools')
        for file in ('Makefile', 'requirements.txt'):
            shutil.copy(ROOT / file, folder)
        for venv in ('.venv', '.venv-bench', '.venv-site', '.venv-browser'):
            note = shlex.join([sys.executable, '-IS', str(tmp_path / 'note.py')])
            fake(folder / venv / 'bin/python', f'exec {note} "$@"')
            (folder / venv / 'installed').touch()
        fake(folder / '.venv/bin/oxlint', f'exec {note} -m oxlint "$@"')
        (tmp_path / 'note.py').write_text(
            'import json, os, sys\n'
            f'with open({str(tmp_path / "calls")!r}, "a") as file:\n'
            '    print(json.dumps([os.getcwd(), sys.argv[1:], dict(os.environ)]), file=file)\n')
        done = subprocess.run(['make', *arguments], cwd=folder, capture_output=True, text=True,
                              env={'PATH': os.environ['PATH'], **environment})
        calls = tmp_path / 'calls'
        return done, folder, [json.loads(line) for line in calls.read_text().splitlines()
                              ] if calls.exists() else []
    return run


@pytest.mark.parametrize('name', NAMES + REFUSED)
def test_every_target_works_in_any_folder_and_with_any_name(make, name):
    done, folder, calls = make('a' if name in REFUSED else name, *TARGETS,
                               f'SUBMITTED={name}', f'OUT={name}', f'GRADED={name}')
    assert done.returncode == 0, done.stderr
    assert {where for where, _, _ in calls} == {str(folder)}
    ran = {arguments[1].removeprefix('tools.').removeprefix('benchmarks.'): arguments[2:]
           for _, arguments, _ in calls if arguments[1] != 'tools.course'}
    assert set(ran) == {'run_notebooks', 'jupyterlab', 'pytest', 'ruff', 'oxlint', 'bench', 'fast',
                        'explore_data', 'build_site', 'build_epub', 'translate', 'urls'}
    course = [arguments[2:] for _, arguments, _ in calls if arguments[1] == 'tools.course']
    assert course == [['release'], ['grade', f'--out={name}', '--', name], ['marks', '--', name]]
    assert '--ServerApp.root_dir=.' in ran['jupyterlab']
    for _, _, env in calls:
        assert env['IPYTHONDIR'] == str(folder / '.venv/ipython')


@pytest.mark.parametrize('name', REFUSED)
def test_other_folders_are_refused_before_anything_is_done(make, name):
    for target in (*TARGETS, 'setup', 'help'):
        done, folder, calls = make(f'{name} {target}', target)
        assert done.returncode == 2 and 'a colon or a per cent sign' in done.stderr and not calls


def test_what_is_set_for_another_python_does_not_leak_in(make):
    done, _, calls = make('a', *TARGETS, 'SUBMITTED=a', 'GRADED=a',
                          **FOREIGN, **dict.fromkeys(OWN, '1'), CDPATH='/', PYTEST_ADDOPTS='-x',
                          HYPOTHESIS_PROFILE='short', VIRTUAL_ENV='/elsewhere')
    assert done.returncode == 0, done.stderr
    for _, arguments, env in calls:
        assert not FOREIGN.items() & env.items(), arguments
        assert not {'CDPATH', 'PYTEST_ADDOPTS', 'VIRTUAL_ENV'} & set(env)
        assert set(OWN) <= set(env)
        assert env.get('HYPOTHESIS_PROFILE') in (None, 'long')


@pytest.mark.parametrize(('target', 'variable'), [('grade', 'SUBMITTED'), ('marks', 'GRADED')])
def test_grading_says_which_folder_it_wants(make, target, variable):
    done, _, calls = make('a', target)
    assert done.returncode and f'make {target} {variable}=folder' in done.stderr and not calls


def test_an_environment_whose_python_has_gone_is_made_again(make, tmp_path):
    fake(tmp_path / 'bin/uv', f'[ "$1" != venv ] || exit 7; echo uv {UV}')
    _, folder, _ = make('a', 'help')
    python = folder / '.venv/bin/python'
    python.unlink()
    python.symlink_to(tmp_path / 'nowhere')
    done = subprocess.run(['make', 'lint'], cwd=folder, capture_output=True, text=True,
                          env={'PATH': f'{tmp_path / "bin"}:{os.environ["PATH"]}'})
    assert done.returncode and 'Making .venv with Python 3.11' in done.stdout


def test_environments_can_be_moved(bare):
    fake(bare / 'bin/uv', f'echo uv {UV} "$@"')
    done = run(bare, 'site')
    assert 'venv --quiet --relocatable --python 3.11 .venv-site' in done.stdout
