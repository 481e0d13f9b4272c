"""Settings of every test run, those of the notebooks under nbval included."""
import os
import signal
import socket

import pytest
from hypothesis import settings

from tools.notebook import prepare

prepare(os.environ)  # which kernels inherit; before Matplotlib, which reads it once

import matplotlib  # noqa: E402

# A shell that runs the tests in the background, or under nohup, has told them and their children to
# ignore these signals, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No windows. Not by MPLBACKEND, which kernels would inherit in place of their own backend.
matplotlib.use('Agg')


# tests/test_fuzz_*.py: a few examples, always the same, by `make test`; many new by `make fuzz`.
settings.register_profile('short', max_examples=20, deadline=None, derandomize=True, database=None)
settings.register_profile('long', max_examples=2000, deadline=None)
settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'short'))


@pytest.fixture
def silent_host(monkeypatch, tmp_path):
    """A host for the zoo's weights that takes a connection and never says a word."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        monkeypatch.setenv('MXNET_GLUON_REPO', f'http://127.0.0.1:{server.getsockname()[1]}/')
        monkeypatch.setenv('MXNET_HOME', str(tmp_path))
        monkeypatch.setenv('NO_PROXY', '127.0.0.1')
        yield server
