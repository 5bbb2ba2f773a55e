#!/usr/bin/env bash
# Any method by any protocol: bash scripts/run.sh METHOD PROTOCOL DATASET… [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/python.sh"
exec "$PYTHON" "$checkout/scripts/run.py" "$@"
