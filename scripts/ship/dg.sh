#!/usr/bin/env bash
# The protocol dg with ship: bash scripts/ship/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" ship dg "$@"
