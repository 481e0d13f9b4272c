"""A machine within the machine: users, their homes and a hub, seen by no other process."""
import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPT = Path('/opt/resnet-notebooks')  # where the repository is for all users
HUB, BUILD = OPT / '.venv-hub', OPT / 'build'
ADDRESS, START = 'http://127.0.0.1:8000', 600  # seconds
TEACHER, STUDENTS = 'teacher', ('ada', 'ben', 'zoe')
PASSWORD = secrets.token_hex(8)
# Of everybody's JupyterLab: all cells in the page, and nothing that asks whether to show news.
SETTINGS = {'notebook-extension/tracker': {'windowingMode': 'none'},
            'apputils-extension/notification': {'fetchNews': 'false', 'checkForUpdates': False}}
EXCHANGE = '/srv/nbgrader/exchange'
COURSE = Path(f'/home/{TEACHER}/resnet-course')


def call(*words, user=None, **options):
    """What a command prints, run as `user` in his home; raises CalledProcessError."""
    if user:
        words = ('runuser', '-u', user, '--', 'env', f'HOME=/home/{user}', *words)
        options = {'cwd': f'/home/{user}', **options}
    return subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, **options).stdout


def lay_over(folder, place):
    """From now on what is written to `folder` is written to `place` instead."""
    upper, work = (place / folder.name / name for name in ('upper', 'work'))
    for made in (upper, work):
        made.mkdir(parents=True)
    call('mount', '-t', 'overlay', 'overlay', '-o',
         f'lowerdir={folder},upperdir={upper},workdir={work}', folder)


def make_machine(place):
    """Users with homes, the repository in /opt, and a Python that all of them can run."""
    call('mount', '-t', 'tmpfs', 'tmpfs', place)
    lay_over(Path('/opt'), place)
    OPT.mkdir(exist_ok=True)
    call('mount', '--bind', ROOT, OPT)
    for folder in ('/etc', '/home', '/srv'):
        lay_over(Path(folder), place)
    for folder in reversed(Path(sys.base_prefix).parents):
        if not folder.stat().st_mode & 0o001:  # a Python of root's own
            lay_over(folder, place)
            folder.chmod(0o755)
    call('ip', 'link', 'set', 'lo', 'up')
    for user in (TEACHER, *STUDENTS):
        call('useradd', '--create-home', '--shell', '/bin/bash', user)
        for name, setting in SETTINGS.items():
            call('sh', '-c', 'mkdir -p "${0%/*}" && echo "$1" > "$0"', f'.jupyter/lab/user-settings'
                 f'/@jupyterlab/{name}.jupyterlab-settings', json.dumps(setting), user=user)


def commands(number):
    """A block of commands in assignments/README.md, With JupyterHub, as one text."""
    section = (OPT / 'assignments/README.md').read_text('utf-8').split('### With JupyterHub\n')[1]
    return re.findall(r'```\n(.*?)```', section.split('\n### ')[0], re.S)[number]


def wait_for(process, address):
    """Returns when `address` answers, whatever it says; raises RuntimeError, TimeoutError."""
    end = time.monotonic() + START
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f'{process.args[0]} has ended; its words are in build/hub.log')
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f'{address}: no answer within {START} s')


@contextlib.contextmanager
def running(place):
    """The hub, as long as the `with` block lasts; what it says goes to build/hub.log.

    The proxy is started first: by itself the hub waits ten seconds for it, and then gives up.
    """
    make_machine(place)
    BUILD.mkdir(exist_ok=True)
    call('sh', '-ec', commands(0))
    call('sh', '-ec', commands(1), user=TEACHER)
    folder = Path('/srv/jupyterhub')
    folder.mkdir(exist_ok=True)
    programs = [
        (['configurable-http-proxy', '--port=8000', '--api-port=8001', '--ip=127.0.0.1',
          '--default-target=http://127.0.0.1:8081'], 'http://127.0.0.1:8001/api/routes'),
        (['jupyterhub', '-f', OPT / 'tests/hub/jupyterhub_config.py'],
         'http://127.0.0.1:8081/hub/login')]
    env = {'PATH': f'{HUB}/bin:{HUB}/node_modules/.bin:{os.environ["PATH"]}', 'LANG': 'C.UTF-8',
           'HUB_PASSWORD': PASSWORD, 'CONFIGPROXY_AUTH_TOKEN': secrets.token_hex(32)}
    with contextlib.ExitStack() as stack, open(BUILD / 'hub.log', 'w') as log:
        for program, address in programs:
            process = subprocess.Popen(program, cwd=folder, env=env, stdout=log, stderr=log)
            stack.callback(process.kill)  # the users' servers end with the namespace
            wait_for(process, address)
        yield


def is_alone():
    """Whether this process has a network of its own."""
    return [name for _, name in socket.if_nameindex()] == ['lo']
