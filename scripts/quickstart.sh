#!/usr/bin/env bash
# Sets up, then runs SHIP beside zero-shot CLIP and CoOp on the embedded dataset, and prints the table.
set -euo pipefail
usage="usage: bash scripts/quickstart.sh [--active] [SEEDS…]

Makes .venv in the checkout (with --active: uses the active environment), installs the dependencies, and runs
    bash scripts/ship/base2new.sh shapes --with-baselines [SEEDS…]     (seeds 1 2 3 unless given)
Data go to DATA (default: data/ in the checkout), runs to output/. Safe to run again: what is complete is kept."

active=
seeds=()
for word in "$@"; do
    case $word in
    --active) active=--active ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *[!0-9]* | "") echo "$usage" >&2 && exit 2 ;;
    *) seeds+=("$word") ;;
    esac
done

source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
setup_env $active
export PYTHON
exec bash "$checkout/scripts/ship/base2new.sh" shapes ${seeds[@]+"${seeds[@]}"} --with-baselines --quiet
