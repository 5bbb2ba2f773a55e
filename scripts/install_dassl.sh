#!/usr/bin/env bash
# Installs Dassl 0.6.3 into the environment that the scripts use.
set -euo pipefail
usage="usage: bash scripts/install_dassl.sh [CLONE]

Installs what Dassl needs to run, then Dassl itself from its repository, or from CLONE, a local clone of it, without
the development tools of 2019 that it pins, and checks that it imports. After this, runs use Dassl instead of the
built-in engine; SHIP_ENGINE=builtin brings that back."
case ${1:-} in
-h | --help) echo "$usage" && exit 0 ;;
esac

source "$(dirname "${BASH_SOURCE[0]}")/python.sh"
source=${1:-git+https://github.com/KaiyangZhou/Dassl.pytorch}
if [[ $# -gt 0 && ! -f $source/setup.py ]]; then
    echo "error: $source is no clone of Dassl: it has no setup.py" >&2
    exit 2
fi
"$PYTHON" -m pip install --disable-pip-version-check \
    setuptools wheel numpy yacs gdown tensorboard scipy scikit-learn tqdm ftfy regex wilds tabulate future
"$PYTHON" -m pip install --disable-pip-version-check --no-deps --no-build-isolation "$source" || {
    echo "error: Dassl could not be installed from $source; see above. With a clone on this machine:" >&2
    echo "    bash scripts/install_dassl.sh /path/to/Dassl.pytorch" >&2
    exit 1
}
cd "$checkout"
SHIP_ENGINE=dassl "$PYTHON" -c 'import compat; print("Engine:", compat.ensure())'
