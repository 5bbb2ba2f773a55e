#!/usr/bin/env bash
# The protocol base2new with cocoop: bash scripts/cocoop/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" cocoop base2new "$@"
