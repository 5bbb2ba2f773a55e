#!/usr/bin/env bash
# The protocol longtail with ship: bash scripts/ship/longtail.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" ship longtail "$@"
