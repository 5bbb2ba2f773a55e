#!/usr/bin/env bash
# The protocol fewshot with tip_adapter_f: bash scripts/tip_adapter_f/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" tip_adapter_f fewshot "$@"
