#!/usr/bin/env bash
# The protocol gzsl with zsclip: bash scripts/zsclip/gzsl.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" zsclip gzsl "$@"
