"""What Binder reads: environment.yml at the root. `make check-binder` asks Binder's own tool."""
import os

from rules import ROOT


def test_conda_brings_python_and_the_lock_brings_the_rest():
    _, wanted = (ROOT / 'environment.yml').read_text('utf-8').split('dependencies:')
    assert wanted.split() == '- python=3.11 - pip - pip: - -r requirements.txt'.split()


def test_nothing_takes_the_place_of_the_environment():
    # repo2docker looks for these first.
    for name in ('binder', '.binder', 'Dockerfile', 'Project.toml', 'default.nix', 'start'):
        assert not (ROOT / name).exists()


def test_binder_can_run_what_comes_after_the_installation():
    assert os.access(ROOT / 'postBuild', os.X_OK)
