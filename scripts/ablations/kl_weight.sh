#!/usr/bin/env bash
# SHIP's ablation kl_weight: bash scripts/ablations/kl_weight.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/ablate.py" kl_weight "$@"
