#!/usr/bin/env bash
# The protocol gzsl with coop: bash scripts/coop/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" gzsl --method coop "$@"
