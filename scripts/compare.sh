#!/usr/bin/env bash
# Every method side by side: bash scripts/compare.sh DATASET… [--methods …] [--protocol base2new] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/python.sh"
exec "$PYTHON" "$checkout/scripts/compare.py" "$@"
