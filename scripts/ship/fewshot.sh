#!/usr/bin/env bash
# The protocol fewshot with ship: bash scripts/ship/fewshot.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" ship fewshot "$@"
