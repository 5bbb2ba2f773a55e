#!/usr/bin/env bash
# Sets up, then checks the code's style and runs the tests.
set -euo pipefail
usage="usage: bash scripts/test.sh [--active] [--engine builtin|dassl] [arguments of pytest…]

Makes .venv in the checkout (with --active: uses the active environment), installs the dependencies, and runs
ruff and pytest. Needs neither network (once installed) nor GPU. Safe to run again.

Tests run on the built-in engine. --engine dassl: on Dassl, which bash scripts/install_dassl.sh installs; those of
the built-in engine itself, in tests/compat/builtin, still run on that. Tests in tests/on_dassl need clones of Dassl
and CoOp: SHIP_TEST_DASSL=FOLDER SHIP_TEST_COOP=FOLDER bash scripts/test.sh tests/on_dassl"

active=
export SHIP_ENGINE=${SHIP_ENGINE:-builtin}
while :; do
    case ${1:-} in
    --active) active=--active && shift ;;
    --engine) SHIP_ENGINE=${2:-} && shift "$(($# < 2 ? $# : 2))" ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) break ;;
    esac
done
case $SHIP_ENGINE in
builtin | dassl) ;;
*) echo "error: --engine is '$SHIP_ENGINE'; it can be builtin or dassl" >&2 && exit 2 ;;
esac

source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
setup_env $active
cd "$checkout"
"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # most of the time goes into starting processes: two at a time, one thread each
if [[ $SHIP_ENGINE == dassl ]]; then
    "$PYTHON" -c 'import compat; print("Engine:", compat.ensure())' 2>/dev/null || {
        echo "error: Dassl cannot be imported here; bash scripts/install_dassl.sh installs it" >&2
        exit 2
    }
    [[ $# -gt 0 ]] || SHIP_ENGINE=builtin "$PYTHON" -m pytest -n 2 --dist loadfile tests/compat/builtin
fi
exec "$PYTHON" -m pytest -n 2 --dist loadfile "$@"
