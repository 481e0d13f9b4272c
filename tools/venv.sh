#!/bin/sh
# Makes a virtual environment beside the series' own: Python 3.11 with exactly the packages of a
# lock. Usage: tools/venv.sh .venv-site requirements-site.txt
# MXNet is not in these, so that they can be made on any machine that uv supports.
set -eu
cd "$(dirname "$0")/.."
folder=$1
lock=$2

fail() {
    printf '\nSet-up stopped: %s\n' "$1" >&2
    exit 1
}

tools/uv.sh --version

# From here on the environment is in the making: a failure must leave no stamp.
rm -f "$folder/installed"

if ! "$folder/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    echo "== Making $folder with Python 3.11 =="
    rm -rf "$folder"
    tools/uv.sh venv --quiet --python 3.11 "$folder" ||
        fail "Python 3.11 is not on this machine, and uv could not fetch it; its own words are above."
fi

echo "== Installing the packages of $lock into $folder =="
tools/uv.sh pip sync --quiet --python "$folder" "$lock" ||
    fail "the packages could not be installed; uv's own words are above.
The network is needed here: check it (a proxy? HTTPS_PROXY), then repeat the command."

touch "$folder/installed"
