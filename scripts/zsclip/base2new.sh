#!/usr/bin/env bash
# The protocol base2new with zsclip: bash scripts/zsclip/base2new.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" zsclip base2new "$@"
