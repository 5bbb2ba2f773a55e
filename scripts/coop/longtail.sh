#!/usr/bin/env bash
# The protocol longtail with coop: bash scripts/coop/longtail.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" coop longtail "$@"
