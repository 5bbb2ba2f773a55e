#!/usr/bin/env bash
# The protocol base2new with ship: bash scripts/ship/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" ship base2new "$@"
