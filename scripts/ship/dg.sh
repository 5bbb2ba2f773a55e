#!/usr/bin/env bash
# The protocol dg with ship: bash scripts/ship/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" dg --method ship "$@"
