#!/bin/sh
# Makes the virtual environment in $1 with the newest Python that works here, and installs the
# pinned, hashed requirements and this project into it. Called by the Makefile; PYTHON names one
# interpreter to use instead of looking for one.
set -eu

venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# Every pinned requirement has wheels for these (tools/requirements.py says how to widen the range).
oldest=11
newest=14

# Prints nothing and succeeds when $1 is a Python we can use; else prints why not.
# A name on PATH proves nothing: version switchers leave shims that fail when run, and Debian
# ships a Python that cannot make environments until python3-venv is installed.
why_not() {
    "$1" - "$oldest" "$newest" 2>/dev/null <<'PYTHON' || echo "it does not run"
import sys

oldest, newest = (int(minor) for minor in sys.argv[1:])
if sys.version_info[0] != 3 or not oldest <= sys.version_info[1] <= newest:
    print("it is Python %d.%d" % sys.version_info[:2])
    sys.exit(0)
try:
    import ensurepip  # noqa
    import venv  # noqa
except ImportError:
    print("it cannot make virtual environments: install python3-venv (Debian and Ubuntu: "
          "apt-get install python3-venv, or python%d.%d-venv)" % sys.version_info[:2])
PYTHON
}

make_venv() {
    candidates=${PYTHON:-}
    if [ -z "$candidates" ]; then
        minor=$newest
        while [ "$minor" -ge "$oldest" ]; do
            candidates="$candidates python3.$minor"
            minor=$((minor - 1))
        done
        candidates="$candidates python3 python"
    fi
    refused=""
    for candidate in $candidates; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        reason=$(why_not "$candidate")
        if [ -z "$reason" ]; then
            if "$candidate" -m venv --clear "$venv" && "$venv/bin/python" -m pip --version >/dev/null; then
                echo "bootstrap: $("$venv/bin/python" -V) in $venv"
                return 0
            fi
            reason="it failed to make $venv (see above)"
        fi
        refused="$refused
  $candidate: $reason"
    done
    {
        echo "bootstrap: found no usable Python 3.$oldest to 3.$newest.${refused:-
  none of:$candidates}"
        echo "Install one, with its venv module (Debian and Ubuntu: apt-get install python3 python3-venv),"
        echo "or name one: make PYTHON=/path/to/python3.13 ..."
    } >&2
    return 1
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    make_venv
fi

echo "bootstrap: installing pinned requirements into $venv (once; about a minute)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r "$here/requirements-dev.txt"
# The project itself, editable; its dependencies are those just installed.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    -e "$here"
