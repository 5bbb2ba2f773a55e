#!/usr/bin/env bash
# The protocol fewshot with zsclip: bash scripts/zsclip/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../python.sh"
exec "$PYTHON" "$checkout/scripts/protocols.py" fewshot --method zsclip "$@"
