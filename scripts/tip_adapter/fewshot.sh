#!/usr/bin/env bash
# The protocol fewshot with tip_adapter: bash scripts/tip_adapter/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" tip_adapter fewshot "$@"
