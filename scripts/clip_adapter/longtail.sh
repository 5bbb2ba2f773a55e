#!/usr/bin/env bash
# The protocol longtail with clip_adapter: bash scripts/clip_adapter/longtail.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" clip_adapter longtail "$@"
