#!/usr/bin/env bash
# The protocol gzsl with zsclip: bash scripts/zsclip/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" gzsl --method zsclip "$@"
