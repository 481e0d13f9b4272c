#!/bin/sh
# Makes .venv: Python 3.11 with exactly the packages of requirements.txt.
# The Makefile calls it when the lock is newer than .venv/installed.
# `tools/setup.sh gpu` makes .venv-gpu: the same, with MXNet's CUDA build and CUDA's libraries.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf '\nSet-up stopped: %s\n' "$1" >&2
    exit 1
}

binder="or read the notebooks on Binder, with nothing to install (badge in README.md)."

# MXNet 1.9.1 has wheels for these platforms, and cannot be built by pip.
case "$(uname -s) $(uname -m)" in
    "Linux x86_64" | "Linux aarch64")
        python=3.11 ;;
    "Darwin x86_64")
        # Under Rosetta too, where uv would otherwise take a Python for Apple silicon.
        python=cpython-3.11-macos-x86_64-none ;;
    "Darwin arm64")
        fail "MXNet has no build for Apple silicon.
Run the same command under Rosetta (softwareupdate --install-rosetta; arch -x86_64 make ...),
$binder" ;;
    MINGW* | MSYS* | CYGWIN*)
        fail "MXNet 1.9.1 has no build for Windows.
Run the same command inside WSL (https://learn.microsoft.com/windows/wsl/install),
$binder" ;;
    *)
        fail "MXNet 1.9.1 has no build for $(uname -s) on $(uname -m).
Use Linux (x86-64 or aarch64) or macOS (Intel), $binder" ;;
esac

venv=.venv packages=requirements.txt size="0.7 GB"
if [ "${1-}" = gpu ]; then
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
        fail "MXNet's CUDA build is for Linux x86-64 only. Everything else works without: make setup"
    venv=.venv-gpu packages=.venv-gpu/requirements.txt size="4 GB"
fi

# First of all, so that a failure to get uv is reported once, and as such.
tools/uv.sh --version

# From here on $venv is in the making: a failure must leave no stamp.
rm -f "$venv/installed"

is_python_311() {
    "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

if ! is_python_311; then
    echo "== Making $venv with Python 3.11 =="
    rm -rf "$venv"
    tools/uv.sh venv --quiet --python "$python" "$venv" ||
        fail "Python 3.11 is not on this machine, and uv could not fetch it; its own words are above.
Install Python 3.11 (Debian 12: apt install python3.11; macOS: brew install python@3.11;
anywhere: pyenv install 3.11) so that 'python3.11' is found, or allow uv the network. Or use conda:
    conda env create -f environment.yml && conda activate resnet-notebooks
    jupyter lab notebooks/01_degradation.ipynb"
fi

if [ "$venv" = .venv-gpu ]; then
    grep -v '^mxnet==' requirements.txt | cat - requirements-gpu.txt > "$packages"
fi
echo "== Installing the packages of $packages into $venv ($size on disk) =="
tools/uv.sh pip sync --python "$venv" "$packages" ||
    fail "the packages could not be installed; uv's own words are above.
The network is needed here: check it (a proxy? HTTPS_PROXY), then repeat the command.
What has been fetched is kept."

if [ "$(uname -s) $(uname -m)" = "Linux aarch64" ]; then
    # There MXNet wants Arm's Performance Libraries, which no wheel brings. SciPy's OpenBLAS has
    # every function that it takes from them, so it stands in for all three.
    for name in libarmpl_lp64_mp.so libamath.so libastring.so; do
        (cd "$venv/lib/python3.11/site-packages/mxnet" &&
            ln -sf ../scipy.libs/libopenblasp-*.so "$name")
    done
fi
if [ "$venv" = .venv-gpu ]; then
    "$venv/bin/python" tools/gpu.py || exit 1  # it has said why
fi
"$venv/bin/python" -c 'import mxnet' ||
    fail "MXNet is installed but does not start; its own words are above.
If a library is missing: Debian, Ubuntu: sudo apt install libgomp1 libquadmath0"

touch "$venv/installed"
echo "== $venv is ready =="
