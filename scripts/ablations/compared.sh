#!/usr/bin/env bash
# SHIP's ablation compared: bash scripts/ablations/compared.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/ablate.py" compared "$@"
