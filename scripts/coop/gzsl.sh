#!/usr/bin/env bash
# The protocol gzsl with coop: bash scripts/coop/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" coop gzsl "$@"
