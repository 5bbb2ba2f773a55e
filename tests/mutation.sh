#!/usr/bin/env bash
# Seeds small faults into the code, one at a time, and says which of them the tests do not notice.
set -euo pipefail
usage="usage: bash tests/mutation.sh [N] [--seed S] [--seconds T] [--list] [PATHS…]

Seeds N faults (100), drawn at random with seed S (1), into copies of PATHS (trainers datasets compat/dassl
scripts/report), and runs for each the tests that import the file, the nearest ones first, for T seconds (60) at most
where nothing is noticed. Prints the score by folder, and each survivor with its diff. --list only shows the faults.
Needs the extra dev. The checkout itself is left as it is. See docs/mutation-testing.md."

case ${1:-} in -h | --help) echo "$usage" && exit 0 ;; esac
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/python.sh"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTHONDONTWRITEBYTECODE=1
exec nice "$PYTHON" "$checkout/tests/mutation.py" "$@"
