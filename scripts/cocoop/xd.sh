#!/usr/bin/env bash
# The protocol xd with cocoop: bash scripts/cocoop/xd.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" cocoop xd "$@"
