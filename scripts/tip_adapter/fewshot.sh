#!/usr/bin/env bash
# The protocol fewshot with tip_adapter: bash scripts/tip_adapter/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" fewshot --method tip_adapter "$@"
