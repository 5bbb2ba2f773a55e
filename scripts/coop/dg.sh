#!/usr/bin/env bash
# The protocol dg with coop: bash scripts/coop/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" coop dg "$@"
