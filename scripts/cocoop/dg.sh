#!/usr/bin/env bash
# The protocol dg with cocoop: bash scripts/cocoop/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" cocoop dg "$@"
