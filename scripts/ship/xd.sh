#!/usr/bin/env bash
# The protocol xd with ship: bash scripts/ship/xd.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" ship xd "$@"
