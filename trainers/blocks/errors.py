"""The exception for everything that the user has to put right, and the hint that goes with a misspelt name."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input to a trainer: the message says what is wrong, which file or key, and what to do."""


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """A hint to the nearest of the available names, to be put behind a message; empty where none is near."""
    by_lower = {other.lower(): other for other in available}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean {by_lower[near[0]]}?" if near else ""
