#!/usr/bin/env bash
# The protocol fewshot with zsclip: bash scripts/zsclip/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" zsclip fewshot "$@"
