#!/usr/bin/env bash
# The protocol xd with zsclip: bash scripts/zsclip/xd.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" zsclip xd "$@"
