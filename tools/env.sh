#!/bin/sh
# Makes the environments, each with exactly the packages of its lock, and a file `installed` in it
# once it is whole. The Makefile calls it when a lock is newer than that file.
#
#   tools/env.sh series       .venv, of requirements.txt
#   tools/env.sh gpu          .venv-gpu: the same, with MXNet's CUDA build and CUDA's libraries
#   tools/env.sh NAME         .venv-NAME, of requirements/NAME.txt (bench, browser, hub, site)
#   tools/env.sh uv ARGUMENT… runs uv, the installer
set -eu
unset CDPATH  # with it, cd may go to another folder of the same name
cd -- "$(dirname -- "$0")/.."
UV=0.13.9  # one version for everybody: the user's own if it is this one, else ours in .uv/

fail() {
    printf '\nSet-up stopped: %s\n' "$1" >&2
    exit 1
}

network="The network is needed here: check it (a proxy? HTTPS_PROXY), then repeat the command."
binder="or read the notebooks on Binder, with nothing to install (badge in README.md)."

# ---------------------------------------------------------------------------------------------
# uv

# The system's certificates, as pip and git use them: a university's proxy may have its own.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-1}"  # new and old name

is_ours() {
    case "$("$1" --version 2>/dev/null)" in "uv $UV" | "uv $UV "*) true ;; *) false ;; esac
}

# Prints a Python 3 that can make a virtual environment; nothing if there is none.
# An interpreter may be there and not work: a pyenv shim, macOS's stub.
find_python() {
    for python in python3 python3.11 python; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 8))' 2>/dev/null
        then
            echo "$python"
            return
        fi
    done
}

bootstrap() {
    echo "== Installing uv $UV into .uv/ (once) ==" >&2
    rm -rf .uv
    python=$(find_python)
    if [ -n "$python" ]; then
        "$python" -m venv .uv >&2 || fail "'$python -m venv .uv' failed; its own words are above."
        .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV" >&2 ||
            fail "pip could not install uv; its own words are above.
$network"
    elif uv --version >/dev/null 2>&1; then  # of another version, but it can fetch ours
        uv venv --quiet --python 3.11 .uv >&2 && uv pip install --quiet --python .uv "uv==$UV" >&2 ||
            fail "uv could not install uv $UV; its own words are above.
$network"
    else
        fail "there is no Python 3.8 or newer that can make a virtual environment, and no uv.
Install one of them (Debian, Ubuntu: sudo apt install python3-venv; elsewhere:
https://www.python.org/downloads/ or https://docs.astral.sh/uv/getting-started/installation/),
then repeat the command."
    fi
}

run_uv() {
    if is_ours uv; then
        uv "$@"
    else
        is_ours .uv/bin/uv || bootstrap
        .uv/bin/uv "$@"
    fi
}

if [ "${1-}" = uv ]; then
    shift
    run_uv "$@"
    exit
fi

# ---------------------------------------------------------------------------------------------
# An environment

name=${1-}
case "$name" in
    series | gpu | bench | browser | hub | site) ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' tools/env.sh; [ "$name" = --help ] && exit || exit 2 ;;
esac
platform="$(uname -s) $(uname -m)" python=3.11 with_pip=
[ "$name" != bench ] || with_pip=--seed
case "$name" in
    series) venv=.venv lock=requirements.txt size=" (1 GB on disk)" ;;
    gpu) venv=.venv-gpu lock=.venv-gpu/requirements.txt size=" (4 GB on disk)" ;;
    *) venv=.venv-$name lock=requirements/$name.txt size= ;;
esac

# MXNet 1.9.1 has wheels for these platforms, and cannot be built by pip.
case "$name:$platform" in
    "gpu:Linux x86_64" | "series:Linux x86_64" | "series:Linux aarch64") ;;
    "series:Darwin x86_64")
        # Under Rosetta too, where uv would otherwise take a Python for Apple silicon.
        python=cpython-3.11-macos-x86_64-none ;;
    gpu:*)
        fail "MXNet's CUDA build is for Linux x86-64 only. Everything else works without: make setup" ;;
    "series:Darwin arm64")
        fail "MXNet has no build for Apple silicon.
Run the same command under Rosetta (softwareupdate --install-rosetta; arch -x86_64 make ...),
$binder" ;;
    series:MINGW* | series:MSYS* | series:CYGWIN*)
        fail "MXNet 1.9.1 has no build for Windows.
Run the same command inside WSL (https://learn.microsoft.com/windows/wsl/install),
$binder" ;;
    series:*)
        fail "MXNet 1.9.1 has no build for $platform.
Use Linux (x86-64 or aarch64) or macOS (Intel), $binder" ;;
esac

# First of all, so that a failure to get uv is reported once, and as such.
run_uv --version

# From here on $venv is in the making: a failure must leave no file `installed`.
rm -f "$venv/installed"

# One that names its own folder in its commands would stop to work when the repository is moved.
if ! "$venv/bin/python" -c 'import sys
sys.exit(sys.version_info[:2] != (3, 11)
         or "relocatable = true" not in open(sys.prefix + "/pyvenv.cfg").read())' 2>/dev/null; then
    echo "== Making $venv with Python 3.11 =="
    rm -rf "$venv"
    run_uv venv --quiet --relocatable $with_pip --python "$python" "$venv" ||
        fail "Python 3.11 is not on this machine, and uv could not fetch it; its own words are above.
Install Python 3.11 (Debian 12: apt install python3.11; macOS: brew install python@3.11;
anywhere: pyenv install 3.11) so that 'python3.11' is found, or allow uv the network. Or use conda:
    conda env create -f environment.yml && conda activate resnet-notebooks
    jupyter lab notebooks/01_degradation.ipynb"
fi

if [ "$name" = gpu ]; then
    grep -v '^mxnet==' requirements.txt | cat - requirements/gpu.txt > "$lock"
fi
echo "== Installing the packages of $lock into $venv$size =="
if [ "$name" = bench ]; then
    # By pip: it goes on without PyTorch's own index where another source has the same wheel.
    PIP_RETRIES=1 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$lock" ||
        fail "PyTorch for Linux could not be installed: is download.pytorch.org within reach?"
else
    run_uv pip sync --python "$venv" "$lock" ||
        fail "the packages could not be installed; uv's own words are above.
$network
What has been fetched is kept."
fi

if [ -d "requirements/npm-$name" ]; then
    cp "requirements/npm-$name"/*.json "$venv" &&
        PATH="$PWD/$venv/bin:$PATH" npm ci --prefix "$venv" --ignore-scripts --no-audit --no-fund \
            --loglevel=error ||
        fail "what requirements/npm-$name lists could not be installed; npm's own words are above.
$network"
fi
if [ "$platform" = "Linux aarch64" ] && [ -d "$venv/lib/python3.11/site-packages/mxnet" ]; then
    # There MXNet wants Arm's Performance Libraries, which no wheel brings. SciPy's OpenBLAS has
    # every function that it takes from them, so it stands in for all three.
    for library in libarmpl_lp64_mp.so libamath.so libastring.so; do
        (cd "$venv/lib/python3.11/site-packages/mxnet" &&
            ln -sf ../scipy.libs/libopenblasp-*.so "$library")
    done
fi
if [ "$name" = gpu ]; then
    "$venv/bin/python" -m tools.gpu || exit 1  # it has said why
fi
if [ "$name" = gpu ] || [ "$name" = series ]; then
    "$venv/bin/python" -c 'import mxnet' ||
        fail "MXNet is installed but does not start; its own words are above.
If a library is missing: Debian, Ubuntu: sudo apt install libgomp1 libquadmath0"
fi

touch "$venv/installed"
echo "== $venv is ready =="
