#!/usr/bin/env bash
# Base-to-new with clip_adapter: bash scripts/clip_adapter/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/base2new.py" --method clip_adapter "$@"
