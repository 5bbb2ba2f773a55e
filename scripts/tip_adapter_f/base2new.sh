#!/usr/bin/env bash
# The protocol base2new with tip_adapter_f: bash scripts/tip_adapter_f/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" base2new --method tip_adapter_f "$@"
