#!/usr/bin/env bash
# Every method side by side: bash scripts/compare.sh DATASET… [SEEDS…] [--methods …] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/python.sh"
exec "$PYTHON" "$checkout/scripts/compare.py" "$@"
