#!/usr/bin/env bash
# The protocol dg with clip_adapter: bash scripts/clip_adapter/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" dg --method clip_adapter "$@"
