#!/usr/bin/env bash
# The protocol longtail with zsclip: bash scripts/zsclip/longtail.sh DATASET [SEEDS…] [--help]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../run.sh" zsclip longtail "$@"
