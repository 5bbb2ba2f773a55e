#!/usr/bin/env bash
# The protocol gzsl with clip_adapter: bash scripts/clip_adapter/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" gzsl --method clip_adapter "$@"
