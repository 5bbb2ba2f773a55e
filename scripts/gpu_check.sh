#!/usr/bin/env bash
# Everything that only a GPU can show, in one command and one report: bash scripts/gpu_check.sh [--quick] [--help]
set -euo pipefail
usage="usage: bash scripts/gpu_check.sh [--quick] [--active] [--wheels FOLDER] [--output FOLDER]
example: bash scripts/gpu_check.sh --quick --output output/gpu_check

Checks features, losses, gradients and whole runs on this machine's GPU against its CPU, measures steps and images
with CLIPs of random weights, and writes report.txt and report.json to --output (output/gpu_check). Below 8 minutes
on one data-centre GPU, with --quick below 3. Nothing is downloaded, no compiler is needed. A part that fails does not
end the others; the exit status is then 1. Without a GPU only the comparisons themselves are tested, on the CPU.

It takes the environment's interpreter (PYTHON, an active environment, else .venv in the checkout; --active: the
active one) and installs nothing, but with --wheels FOLDER the packages beyond PyTorch's own that it lacks, from there."

fail() { echo "error: $1; see --help" >&2 && exit 2; }

wheels=
words=()
while (($#)); do
    case $1 in
    --quick) words+=("$1") ;;
    --active) PYTHON=$(command -v python) || fail "--active needs an active environment" ;;
    --wheels) [[ -d ${2:-} ]] || fail "--wheels takes a folder" && wheels=$2 && shift ;;
    --output) [[ -n ${2:-} ]] || fail "--output takes a folder" && words+=("$1" "$2") && shift ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) fail "there is no option '$1'" ;;
    esac
    shift
done

source "$(dirname "${BASH_SOURCE[0]}")/python.sh"
lacking=$("$PYTHON" "$checkout/scripts/gpu/lacking.py")
if [[ -n $lacking && -n $wheels ]]; then
    # shellcheck disable=SC2086 - names are words
    "$PYTHON" -m pip install --disable-pip-version-check --quiet --no-index --only-binary :all: \
        --find-links "$wheels" $lacking
elif [[ -n $lacking ]]; then
    echo "error: $PYTHON lacks $lacking; --wheels FOLDER installs them from files, or: pip install $lacking" >&2
    exit 2
fi
exec "$PYTHON" "$checkout/scripts/gpu_check.py" ${words[@]+"${words[@]}"}
