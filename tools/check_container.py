"""What Docker would build, built without Docker and tried: the steps of .devcontainer/Dockerfile.

`make check-container`, run by root, carries out the steps in a Debian root that debootstrap makes
in a temporary folder. Then, as the file's user, it trains notebook 03 there, starts the file's
command and asks for JupyterLab's page. Needs Linux on x86-64, debootstrap, 3 GB of disk and the
network, whose settings (proxies, indexes, certificates) it takes from outside.

It does not try Docker itself, nor its image debian:bookworm-slim: debootstrap's smallest Debian
is of the same release. A step that it does not know, it refuses.
"""
import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from scripts import commands
from tools.urls import tracked

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / '.devcontainer' / 'Dockerfile'
# The instructions that are carried out, as far as the file uses them. No variables: `$` is only
# left to a shell.
FORMS = {
    'FROM': r'(?:--platform=linux/amd64 debian:(?P<suite>[a-z]+)-slim|(?P<stage>[a-z]+))'
            r'(?: AS (?P<name>[a-z]+))?',
    'RUN': r'(?P<script>(?!--|\[)(?:(?!<<).)+)',
    'USER': r'(?P<user>[a-z]+)',
    'WORKDIR': r'(?P<folder>/[\w/.-]+)',
    'COPY': r'--chown=(?P<owner>[a-z]+) '
            r'(?:(?P<all>\. \.)|(?P<files>[\w/. -]+) (?P<into>[\w/.-]+/))',
    'EXPOSE': r'(?P<port>\d+)',
    'CMD': r'(?P<words>\["[^"\\]+"(?:, "[^"\\]+")*\])',
}
# What a process in a container begins with; Docker sets no more.
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
# What is said outside about the way to the packages, and about threads.
OUTSIDE = re.compile(r'(https?|all|no)_proxy|(PIP|UV)_(DEFAULT_|EXTRA_)?INDEX(_URL)?|'
                     r'PIP_DEFAULT_TIMEOUT|UV_HTTP_TIMEOUT|OMP_NUM_THREADS', re.I)
CERTIFICATES = '/etc/certificates-from-outside.pem'
# What Docker mounts in each container, 64 MB of shared memory included.
MOUNTS = ('mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && '
          'mount -t tmpfs -o size=64m tmpfs "$0/dev/shm" && exec "$@"')
LINK = re.compile(r'http://127\.0\.0\.1:\d+(/lab\S*)\?token=\w+')
NOTEBOOK = '/lab/tree/notebooks/01_degradation.ipynb'
PATIENCE = 300  # seconds, for JupyterLab to start


def steps(text):
    """[(instruction, {part: its text})] of a Dockerfile; ValueError for one that is not known."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith('#')]
    found = []
    for line in '\n'.join(lines).replace('\\\n', ' ').splitlines():
        if not line.strip():
            continue
        instruction, _, rest = line.strip().partition(' ')
        parts = re.fullmatch(FORMS.get(instruction, '(?!)'), rest.strip())
        if not parts:
            raise ValueError(f'this check cannot carry out: {line.strip()}')
        found.append((instruction, parts.groupdict()))
    stage = None
    for number, (instruction, parts) in enumerate(found):
        first = number == 0
        if first and instruction != 'FROM' or instruction == 'FROM' and (
                bool(parts['suite']) != first or parts['stage'] != stage):
            raise ValueError('it has to begin with FROM debian, and each stage to go on from the '
                             'one before')
        stage = parts['name'] if instruction == 'FROM' else stage
    return found


class Container:
    """A Debian root in a folder, and what a Dockerfile has set so far."""

    def __init__(self, folder):
        self.root, self.user, self.folder, self.command = folder / 'root', 'root', '/', []
        self.outside = {name: value for name, value in os.environ.items()
                        if OUTSIDE.fullmatch(name)}

    def carry_out(self, instruction, parts):
        """One step of the file."""
        if parts.get('suite'):
            self.make(parts['suite'])
        elif instruction == 'RUN':
            subprocess.run(self.inside('/bin/sh', '-c', parts['script']), check=True)
        elif instruction == 'USER':
            self.user = parts['user']
        elif instruction == 'WORKDIR':
            if not (self.root / parts['folder'][1:]).is_dir():
                # Whose a new folder is depends on Docker's version.
                raise ValueError(f'WORKDIR {parts["folder"]}: make it first')
            self.folder = parts['folder']
        elif instruction == 'COPY':
            self.copy(**parts)
        elif instruction == 'CMD':
            self.command = json.loads(parts['words'])

    def make(self, suite):
        """The smallest Debian."""
        subprocess.run(['unshare', '--mount', 'debootstrap', '--variant=minbase', suite,
                        self.root], check=True)
        bundle = os.environ.get('SSL_CERT_FILE')
        if bundle:
            shutil.copy(bundle, self.root / CERTIFICATES[1:])
            self.outside |= dict.fromkeys(('SSL_CERT_FILE', 'PIP_CERT'), CERTIFICATES)

    def account(self, user):
        """User, group and home, by the root's own list."""
        for line in (self.root / 'etc/passwd').read_text().splitlines():
            name, _, uid, gid, _, home, _ = line.split(':')
            if name == user:
                return int(uid), int(gid), home
        raise ValueError(f'there is no user {user}')

    def inside(self, *words):
        """The command that runs `words` as process 1 of a container; its mounts end with it."""
        uid, gid, home = self.account(self.user)
        variables = {'PATH': PATH, 'HOME': home} | self.outside
        return ['unshare', '--mount', '--pid', '--fork', '--kill-child',
                'sh', '-c', MOUNTS, self.root,
                'chroot', f'--userspec={uid}:{gid}', '--groups=', self.root,
                'env', '-i', f'--chdir={self.folder}',
                *(f'{name}={value}' for name, value in variables.items()), *words]

    def copy(self, owner, files, into, **_):
        """Files that git knows or would add: what .dockerignore leaves out, it does not."""
        uid, gid, _ = self.account(owner)
        home = self.root / self.folder[1:]
        wanted = [ROOT / name for name in files.split()] if files else tracked()
        for path in wanted:
            target = home / into / path.name if files else home / path.relative_to(ROOT)
            for folder in reversed(target.parents):
                if not folder.exists():
                    folder.mkdir()
                    os.chown(folder, uid, gid)
            shutil.copy2(path, target)
            os.chown(target, uid, gid)

    def page(self, log):
        """Starts the file's command; the page behind the link that it prints."""
        with log.open('w') as file:
            process = subprocess.Popen(self.inside(*self.command), stdout=file,
                                       stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + PATIENCE
            while not (link := LINK.search(log.read_text())):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f'{log.read_text()}\nJupyterLab printed no link')
                time.sleep(1)
            if link[1] != NOTEBOOK:
                raise SystemExit(f'the link leads to {link[1]}, not to {NOTEBOOK}')
            with build_opener(ProxyHandler({})).open(link[0], timeout=60) as answer:
                return answer.read().decode()
        finally:
            process.kill()
            process.wait()


def needs():
    """What this machine lacks for the check, in words; nothing if it can be made."""
    if (platform.system(), platform.machine()) != ('Linux', 'x86_64'):
        yield 'Linux on x86-64'
    else:
        if os.geteuid():
            yield 'root, who alone may use chroot (sudo make check-container)'
        if not shutil.which('debootstrap'):
            yield 'debootstrap (Debian, Ubuntu: apt install debootstrap)'


def main(arguments):
    """Builds and tries; says what it does, and stops where something fails."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(arguments)
    if missing := list(needs()):
        raise SystemExit(f'This check needs {" and ".join(missing)}.')
    todo = steps(DOCKERFILE.read_text(encoding='utf-8'))
    # Not /tmp, which may be small, in memory, or closed to devices.
    folder = Path(tempfile.mkdtemp(prefix='check-container-', dir='/var/tmp'))
    container = Container(folder)
    try:
        for instruction, parts in todo:
            said = ' '.join(part for part in parts.values() if part)
            print('==', instruction, *said.split(), flush=True)
            container.carry_out(instruction, parts)
        print('== make run NB=03', flush=True)
        subprocess.run(container.inside('make', 'run', 'NB=03'), check=True)
        print(f'== {shlex.join(container.command)}', flush=True)
        page = container.page(folder / 'log')
        title = re.search('<title>(.*?)</title>', page)
        print(f'the link leads to {NOTEBOOK}, and the page is called {title and title[1]}')
    except (ValueError, subprocess.CalledProcessError) as problem:
        raise SystemExit(str(problem)) from None
    finally:
        subprocess.run(['rm', '-rf', '--one-file-system', folder])


if __name__ == '__main__':
    sys.exit(commands.run(main))
