#!/usr/bin/env bash
# The protocol gzsl with ship: bash scripts/ship/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" ship gzsl "$@"
