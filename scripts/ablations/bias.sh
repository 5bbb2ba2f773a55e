#!/usr/bin/env bash
# SHIP's ablation bias: bash scripts/ablations/bias.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/ablate.py" bias "$@"
