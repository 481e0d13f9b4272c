#!/bin/sh
# Runs uv, the installer: the user's own, or else one that we put into .uv/.
# Usage: tools/uv.sh ARGUMENTS-OF-UV
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf '\nSet-up stopped: %s\n' "$1" >&2
    exit 1
}

# Prints a Python 3 that can make a virtual environment, or stops.
# An interpreter may be there and not work: a pyenv shim, macOS's stub.
find_python() {
    bare=
    for python in python3 python3.11 python; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
            if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
                echo "$python"
                return
            fi
            bare=$python
        fi
    done
    [ -z "$bare" ] || fail "'$bare' has no venv and ensurepip, so it cannot make a virtual environment.
Install them (Debian, Ubuntu: sudo apt install python3-venv), or install uv:
https://docs.astral.sh/uv/getting-started/installation/
Then repeat the command."
    fail "there is no Python 3.8 or newer, and no uv.
Install either (https://www.python.org/downloads/ or
https://docs.astral.sh/uv/getting-started/installation/), then repeat the command."
}

bootstrap() {
    python=$(find_python) || exit 1
    echo "== Installing uv into .uv/ (once) ==" >&2
    rm -rf .uv
    "$python" -m venv .uv >&2 || fail "'$python -m venv .uv' failed; its own words are above."
    .uv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2 ||
        fail "pip could not install uv; its own words are above.
The network is needed here: check it (a proxy? HTTPS_PROXY), then repeat the command."
}

# The system's certificates, as pip and git use them: a university's proxy may have its own.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-1}"  # new and old name

if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    exec uv "$@"
fi
.uv/bin/uv --version >/dev/null 2>&1 || bootstrap
exec .uv/bin/uv "$@"
