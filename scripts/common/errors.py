"""How commands end on bad input."""

from __future__ import annotations  # for the doctor, which an old Python can run

import sys
from collections.abc import Iterable
from typing import NoReturn


def fail(message: object) -> NoReturn:
    """Ends the program for bad input."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def fail_on_file(error: OSError) -> NoReturn:
    """Ends the program for a file that cannot be read or written; what a closed pipe raises is let through."""
    if isinstance(error, BrokenPipeError):
        raise error
    fail(f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}.")


def unknown(kind: str, name: str, available: Iterable[str]) -> str:
    """A message about a name that does not exist, with those that do and the nearest of them."""
    from trainers.blocks.errors import did_you_mean  # which refuses an old Python

    available = list(available)
    return f"no {kind} {name!r}; there are {', '.join(available)}.{did_you_mean(name, available)}"
