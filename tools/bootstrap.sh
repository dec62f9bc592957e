#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes .venv ready for `make`: checks what the machine must have, creates the environment and
# installs the project in it with the versions of constraints.txt. Does nothing where all is done.
#
#   tools/bootstrap.sh             check and install
#   tools/bootstrap.sh --missing   only print the Debian packages that are missing
#
# Set PYTHON or CXX to choose another interpreter or compiler.
set -eu
cd "${0%/*}/.."

# ns-3 is published for Python up to 3.13.
suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

what=
packages=
need() {
    what="${what:+$what and }$1"
    packages="${packages:+$packages }$2"
}

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if suits "$candidate"; then
        python=$candidate
        break
    fi
done

if [ -z "$python" ]; then
    package=python3
    if command -v python3 >/dev/null; then package=python3.11; fi
    need "Python 3.11, 3.12 or 3.13" "$package $package-venv $package-dev"
else
    package=${python##*/}
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        need "Python's venv module" "$package-venv"
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        need "Python's C headers" "$package-dev"
fi

compiler=${CXX:-g++}
command -v "${compiler%% *}" >/dev/null || need "a C++ compiler" g++

if [ "${1:-}" = --missing ]; then
    echo "$packages"
    exit
fi
if [ -n "$packages" ]; then
    echo "6GAgentGym needs $what: install it with \"apt-get install $packages\"." >&2
    exit 1
fi

# The environment is up to date while nothing changed that decides what is in it.
state=$({ pwd; cat pyproject.toml constraints.txt; echo */__init__.py; } | cksum)
if suits .venv/bin/python && [ "$(cat .venv/installed 2>/dev/null)" = "$state" ]; then
    exit
fi

echo "Installing into .venv; the first time this compiles ns-3's Python bindings, some minutes."
suits .venv/bin/python || "$python" -m venv --clear .venv
.venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
echo "$state" >.venv/installed
