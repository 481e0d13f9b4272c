"""Puts CUDA's libraries where MXNet's CUDA build looks for them, and says what is missing.

`make gpu` runs it with the Python of .venv-gpu. libmxnet.so looks for libraries in its own folder
first (its RPATH is $ORIGIN), the nvidia-*-cu11 wheels put theirs elsewhere: a link to each, and
they are found in every program, without LD_LIBRARY_PATH. That part is checked without a GPU too.
"""
import argparse
import ctypes
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

SITE = Path(sysconfig.get_path('purelib'))
DRIVER = 'libcuda.so.1'  # comes with NVIDIA's driver, never with a wheel
NO_DRIVER = f"""
CUDA's libraries are complete, but this machine has no NVIDIA driver ({DRIVER}), without which
MXNet's CUDA build does not even start. So everything goes on with the CPU, in .venv.
If there is a GPU, install its driver until `nvidia-smi` lists it, and repeat `make gpu`.
If there is none, .venv-gpu can be deleted."""
NO_GPU = """
The driver is here, but MXNet can use no GPU: utils.try_gpu() gives the CPU. So everything goes on
with the CPU, in .venv. Does `nvidia-smi` list a GPU? Its compute capability has to be 5.0 to 8.9:
newer GPUs (Hopper, Blackwell) have no code in MXNet 1.9.1, the last release."""


def link(site):
    """Links each of CUDA's libraries into MXNet's folder; returns the links."""
    links = []
    for library in sorted(site.glob('nvidia/*/lib/lib*.so*')):
        links.append(site / 'mxnet' / library.name)
        links[-1].unlink(missing_ok=True)
        links[-1].symlink_to(os.path.relpath(library, links[-1].parent))
    return links


def unresolved(libraries):
    """The libraries that one of `libraries` needs and the loader does not find, by ldd."""
    listed = subprocess.run(['ldd', *libraries], capture_output=True, text=True).stdout
    return sorted(set(re.findall(r'^\s*(\S+) => not found', listed, re.MULTILINE)))


def driver():
    """The file of NVIDIA's driver that the loader finds, None if there is none."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return None
    # Where it is, nobody says but the list of what this process has loaded.
    return next(line.split()[-1] for line in Path('/proc/self/maps').read_text().splitlines()
                if '/libcuda.so' in line)


def link_driver(site, path):
    """cuDNN opens the driver by a name, libcuda.so, that not every installation has (WSL's)."""
    name = site / 'mxnet' / 'libcuda.so'
    name.unlink(missing_ok=True)
    name.symlink_to(path)


def gpus():
    """The GPUs that MXNet can use."""
    import utils  # late: it imports MXNet, which fails without the libraries

    return [device for device in utils.try_all_gpus() if device.device_type == 'gpu']


def main(site=SITE):
    """Links, checks and reports; the exit status is 0 if a GPU can be used."""
    links = link(site)
    libraries = [site / 'mxnet' / 'libmxnet.so', *links]
    missing = [name for name in unresolved(libraries) if name != DRIVER]
    if missing:
        print(f'\nNot found: {", ".join(missing)}.\nlibgomp and libquadmath come from the system '
              '(Debian, Ubuntu: sudo apt install libgomp1 libquadmath0),\nthe others from '
              'requirements/gpu.txt.', file=sys.stderr)
        return 1
    print(f'{len(libraries)} libraries of MXNet and CUDA: all that they need is here', flush=True)
    if not (path := driver()):
        print(NO_DRIVER, file=sys.stderr)
        return 1
    link_driver(site, path)
    if not (found := gpus()):
        print(NO_GPU, file=sys.stderr)
        return 1
    print(f'MXNet uses {", ".join(map(str, found))}')
    return 0


if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    sys.exit(main())
