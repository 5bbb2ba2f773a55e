#!/usr/bin/env bash
# The protocol base2new with coop: bash scripts/coop/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" coop base2new "$@"
