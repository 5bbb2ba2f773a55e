"""How commands end on bad input, and the hint that goes with a misspelt name."""

from __future__ import annotations  # for the doctor, which an old Python can run

import difflib
import sys
from collections.abc import Iterable
from typing import NoReturn


def fail(message: object) -> NoReturn:
    """Ends the program for bad input."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """A hint to the nearest of the available names, to be put behind a message; empty where none is near."""
    by_lower = {other.lower(): other for other in available}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean {by_lower[near[0]]}?" if near else ""


def unknown(kind: str, name: str, available: Iterable[str]) -> str:
    """A message about a name that does not exist, with those that do and the nearest of them."""
    available = list(available)
    return f"no {kind} {name!r}; there are {', '.join(available)}.{did_you_mean(name, available)}"
