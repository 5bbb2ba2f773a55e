#!/usr/bin/env bash
# The protocol base2new with cocoop: bash scripts/cocoop/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" base2new --method cocoop "$@"
