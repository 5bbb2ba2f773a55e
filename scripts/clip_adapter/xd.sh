#!/usr/bin/env bash
# The protocol xd with clip_adapter: bash scripts/clip_adapter/xd.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" xd --method clip_adapter "$@"
