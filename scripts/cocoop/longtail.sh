#!/usr/bin/env bash
# The protocol longtail with cocoop: bash scripts/cocoop/longtail.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" cocoop longtail "$@"
