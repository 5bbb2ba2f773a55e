#!/usr/bin/env bash
# The protocol dg with tip_adapter: bash scripts/tip_adapter/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" tip_adapter dg "$@"
