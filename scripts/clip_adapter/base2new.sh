#!/usr/bin/env bash
# The protocol base2new with clip_adapter: bash scripts/clip_adapter/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" base2new --method clip_adapter "$@"
