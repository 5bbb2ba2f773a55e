#!/usr/bin/env bash
# The protocol xd with zsclip: bash scripts/zsclip/xd.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" xd --method zsclip "$@"
