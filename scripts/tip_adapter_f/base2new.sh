#!/usr/bin/env bash
# Base-to-new with tip_adapter_f: bash scripts/tip_adapter_f/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/base2new.py" --method tip_adapter_f "$@"
