#!/usr/bin/env bash
# The protocol xd with coop: bash scripts/coop/xd.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" coop xd "$@"
