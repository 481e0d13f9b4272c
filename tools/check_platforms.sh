#!/bin/sh
# Whether the locks can be installed where docs/install.md says so: each package has a wheel there.
# `make check-platforms` calls it. Resolves only, installs nothing; needs the network.
set -u
unset CDPATH  # with it, cd may go to another folder of the same name
cd -- "$(dirname -- "$0")/.." || exit
if [ $# -gt 0 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' tools/check_platforms.sh
    [ "$*" = --help ] && exit || exit 2
fi

resolves() {  # PLATFORM FILE...
    platform=$1
    shift
    tools/env.sh uv pip compile --quiet --python-version 3.11 --python-platform "$platform" \
        --only-binary :all: "$@" >/dev/null 2>build/check_platforms.log
}

mkdir -p build
status=0
for platform in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-apple-darwin; do
    if resolves "$platform" requirements.txt; then
        echo "$platform: every package has a wheel"
    else
        status=1
        echo "$platform: NOT INSTALLABLE"
        cat build/check_platforms.log
    fi
done

if resolves x86_64-unknown-linux-gnu requirements/gpu.txt -c requirements.txt; then
    echo "x86_64-unknown-linux-gnu, GPU: every package has a wheel"
else
    status=1
    echo "x86_64-unknown-linux-gnu, GPU: NOT INSTALLABLE"
    cat build/check_platforms.log
fi

# The platforms for which docs/install.md offers a way round: should one resolve, it has to be rewritten.
for platform in aarch64-apple-darwin x86_64-pc-windows-msvc; do
    if resolves "$platform" requirements.txt; then
        status=1
        echo "$platform: INSTALLABLE, which docs/install.md denies"
    elif grep -q 'mxnet' build/check_platforms.log; then
        echo "$platform: no wheel of MXNet, as docs/install.md says"
    else
        status=1
        echo "$platform: not resolved, for another reason than MXNet"
        cat build/check_platforms.log
    fi
done
exit $status
