#!/usr/bin/env bash
# The protocol dg with zsclip: bash scripts/zsclip/dg.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" zsclip dg "$@"
