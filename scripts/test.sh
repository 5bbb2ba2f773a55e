#!/usr/bin/env bash
# Sets up, then checks the code's style and runs the tests.
set -euo pipefail
usage="usage: bash scripts/test.sh [--active] [arguments of pytest…]

Makes .venv in the checkout (with --active: uses the active environment), installs the dependencies, and runs
ruff and pytest. Needs neither network (once installed) nor GPU. Safe to run again."

active=
case ${1:-} in
--active) active=--active && shift ;;
-h | --help) echo "$usage" && exit 0 ;;
esac

source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
setup_env $active
cd "$checkout"
"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # most of the time goes into starting processes: two at a time, one thread each
exec "$PYTHON" -m pytest -n 2 --dist loadfile "$@"
