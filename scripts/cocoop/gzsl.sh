#!/usr/bin/env bash
# The protocol gzsl with cocoop: bash scripts/cocoop/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" cocoop gzsl "$@"
