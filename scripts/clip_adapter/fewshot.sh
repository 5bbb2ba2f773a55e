#!/usr/bin/env bash
# The protocol fewshot with clip_adapter: bash scripts/clip_adapter/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" clip_adapter fewshot "$@"
