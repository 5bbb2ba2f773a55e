#!/usr/bin/env bash
# The protocol base2new with clip_adapter: bash scripts/clip_adapter/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" clip_adapter base2new "$@"
