#!/usr/bin/env bash
# The protocol fewshot with coop: bash scripts/coop/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" coop fewshot "$@"
