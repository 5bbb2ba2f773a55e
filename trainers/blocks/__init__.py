"""What the trainers share; imports dassl, clip and torch, and nothing above it."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - a checkout that this is copied into has declared no version
    sys.exit(f"error: SHIP needs Python 3.10 or newer, and this is Python {sys.version.split()[0]}.")
