"""What Binder would build: its own tool, repo2docker, says so without building anything.

`make check-binder` runs it with repo2docker in an environment of its own. It checks that the conda
build pack is picked, with Python 3.11 and the lock, and that the lock agrees with what Binder has
installed before: JupyterHub and two extensions of JupyterLab. Needs the network, but no Docker.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from repo2docker import buildpacks
from repo2docker.app import Repo2Docker

ROOT = Path(__file__).resolve().parent.parent
# Of the packages in Binder's image: those that the lock leaves alone.
BASE = {'jupyterhub-base': 'jupyterhub', 'jupyter-resource-usage': 'jupyter-resource-usage',
        'jupyter-offlinenotebook': 'jupyter-offlinenotebook'}


def picked():
    """The build pack that repo2docker picks for the current folder, and its Dockerfile."""
    app = Repo2Docker()
    for build_pack in app.buildpacks:
        pack = build_pack(base_image=app.base_image)
        if pack.detect():
            pack.platform = 'linux/amd64'
            return pack, pack.render()
    raise SystemExit('repo2docker finds nothing to build')


def base_packages(python):
    """Binder's own packages, as pip names them, at the versions that this repo2docker has."""
    lock = Path(buildpacks.__file__).parent / 'conda' / f'environment.py-{python}-linux-64.lock'
    versions = dict(re.findall(r'/([\w-]+)-(\d[\w.]*)-[^/]*\.(?:conda|tar\.bz2)', lock.read_text()))
    return [f'{name}=={versions[conda]}' for conda, name in BASE.items()]


def resolve(packages):
    """Stops unless `packages` can be installed beside requirements.txt as it is."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / 'base.in'
        wanted.write_text('\n'.join(packages))
        done = subprocess.run([ROOT / 'tools/env.sh', 'uv', 'pip', 'compile', '--quiet', wanted,
                               ROOT / 'requirements.txt', '--python-version', '3.11',
                               '--python-platform', 'x86_64-unknown-linux-gnu'],
                              stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f'the lock cannot be installed beside {" ".join(packages)}')


def main():
    """Prints what it finds; stops with a message where that is wrong."""
    os.chdir(ROOT)
    pack, dockerfile = picked()
    lock = '- -r requirements.txt' in (ROOT / 'environment.yml').read_text(encoding='utf-8')
    found = {
        'build pack': type(pack).__name__,
        'Python': pack.python_version,
        'environment.yml': '--file "environment.yml"' in dockerfile,
        'the lock': lock,
        'postBuild': 'RUN ./postBuild' in dockerfile,
    }
    for name, value in found.items():
        print(f'{name}: {value}')
    if list(found.values()) != ['CondaBuildPack', '3.11', True, True, True]:
        raise SystemExit('wanted: CondaBuildPack, 3.11, and True three times')
    packages = base_packages(pack.python_version)
    resolve(packages)
    print(f'the lock agrees with {", ".join(packages)}')


if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    sys.exit(main())
