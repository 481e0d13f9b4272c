"""One Slurm for all tests, and a folder from which jobs are submitted."""
import os
import shutil
import socket
import sys
from pathlib import Path

import cluster
import pytest
from cluster import call, wait
from job import Job

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure():
    """Stops with one line where there is no Slurm, or where nothing may be set up."""
    if not all(map(shutil.which, ('sbatch', 'slurmctld', 'slurmd', 'munged', 'ip'))):
        raise pytest.UsageError('Slurm or munge is missing: apt-get install slurm-wlm munge '
                                'iproute2 (Debian)')
    if [name for _, name in socket.if_nameindex()] != ['lo']:
        raise pytest.UsageError('These tests need a network of their own: make test-slurm')


@pytest.fixture(scope='session', autouse=True)
def slurm(tmp_path_factory):
    """A Slurm of two nodes; jobs inherit this environment."""
    os.environ['OMP_NUM_THREADS'] = '1'
    with cluster.running(tmp_path_factory.mktemp('slurm')):
        yield


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The current folder, which looks like the repository."""
    for name in ('scripts', 'utils.py', 'resnet.py', 'data'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / '.venv').symlink_to(sys.prefix)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stand_in(home):
    """Python is a shell script: workers do as ./worker says, all others sleep."""
    (home / '.venv').unlink()
    (home / '.venv/bin').mkdir(parents=True)
    (home / '.venv/bin/python').write_text(
        '#!/bin/sh\n[ "$DMLC_ROLE" = worker ] && exec sh ./worker "$@"\nexec sleep 1000\n')
    (home / '.venv/bin/python').chmod(0o755)
    (home / 'worker').write_text('exec sleep 1000\n')
    return home


@pytest.fixture
def submit(home):
    """A function that makes a Job; what is left of it at the test's end is cancelled."""
    jobs = []

    def new(*arguments, options=()):
        jobs.append(Job(home, *arguments, options=options))
        return jobs[-1]

    yield new
    for job in jobs:
        print(job.file.read_text() if job.file.exists() else 'no output')
        call('scancel', job.id)
        wait(job.ended, 60, 'the end of a cancelled job')
        wait(cluster.is_idle, 60, 'two idle nodes')
