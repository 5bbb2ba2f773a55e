#!/usr/bin/env bash
# The protocol fewshot with cocoop: bash scripts/cocoop/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" cocoop fewshot "$@"
