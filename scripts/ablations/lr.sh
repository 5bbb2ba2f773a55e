#!/usr/bin/env bash
# SHIP's ablation lr: bash scripts/ablations/lr.sh DATASET [--seeds …] [--draws …] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/ablate.py" lr "$@"
