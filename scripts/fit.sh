#!/usr/bin/env bash
# Learns classes from your pictures and names: bash scripts/fit.sh FOLDER [--without-pictures NAMES] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/python.sh"
exec "$PYTHON" "$checkout/scripts/fit.py" "$@"
