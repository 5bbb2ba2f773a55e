# Sourced by quickstart.sh and test.sh: makes .venv, or takes the active environment (--active), and installs into it.
# Sets PYTHON. Quick when nothing has changed since it last succeeded.
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

find_python() {
    local name
    for name in python3 python python3.14 python3.13 python3.12 python3.11 python3.10; do
        if command -v "$name" >/dev/null && new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    echo "error: Python 3.10 or newer is needed, and none was found; install it from your system or python.org" >&2
    exit 2
}

installs() { cat "$checkout/setup.py" "$checkout/pyproject.toml"; } # what is installed follows from these

setup_env() { # $1: --active or nothing
    local stamp
    if [[ "${1:-}" == --active ]]; then
        PYTHON=$(command -v python) && new_enough "$PYTHON" || {
            echo "error: --active needs an active environment with Python 3.10 or newer" >&2
            exit 2
        }
        stamp=$("$PYTHON" -c 'import sys; print(sys.prefix)')/.ship-installed
    else
        PYTHON=$checkout/.venv/bin/python
        stamp=$checkout/.venv/.ship-installed
        if ! "$PYTHON" -c '' 2>/dev/null; then
            echo "Making a virtual environment in $checkout/.venv"
            "$(find_python)" -m venv --clear "$checkout/.venv"
        fi
    fi
    if ! installs | cmp -s - "$stamp"; then
        echo "Installing the dependencies (PyTorch among them: some 6 GB with CUDA on Linux, a few minutes)"
        "$PYTHON" -m pip install --disable-pip-version-check -e "$checkout[dev]" # so that ship_dassl is the checkout's
        installs >"$stamp"
    fi
    echo "Environment: $("$PYTHON" -c 'import sys; print(sys.prefix)')"
}
