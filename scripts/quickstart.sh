#!/usr/bin/env bash
# Sets up, then runs SHIP beside zero-shot CLIP and CoOp on the embedded dataset, and prints the table.
set -euo pipefail
usage="usage: bash scripts/quickstart.sh [--active] [--data FOLDER] [--output FOLDER] [SEEDS…]
example: bash scripts/quickstart.sh 1 2 3

Makes .venv in the checkout (with --active: uses the active environment), installs the dependencies, and runs
    bash scripts/ship/base2new.sh shapes --with-baselines --jobs N [SEEDS…]     (seeds 1 2 3 unless given)
with as many runs at a time as there are cores, four at most.
Data go to --data or the environment's DATA (default: data/ in the checkout), runs to --output (default: output/).
The last lines say what to do next. Safe to run again: what is complete is not repeated."

fail() { echo "error: $1; see --help" >&2 && exit 2; }

active=
words=()
while (($#)); do
    case $1 in
    --active) active=--active ;;
    --data | --output) [[ -n ${2:-} ]] || fail "$1 takes a folder" && words+=("$1" "$2") && shift ;;
    --seeds) ;; # numbers are seeds without it, too
    -h | --help) echo "$usage" && exit 0 ;;
    *[!0-9]* | "") fail "'$1' is no seed and no option" ;;
    *) words+=("$1") ;;
    esac
    shift
done

source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
setup_env $active
export PYTHON
cores=$(getconf _NPROCESSORS_ONLN)
exec bash "$checkout/scripts/ship/base2new.sh" shapes ${words[@]+"${words[@]}"} --with-baselines --quiet --next-steps \
    --jobs $((cores < 4 ? cores : 4))
