"""SHIP and the few-shot methods that it is compared with: from Python on features, and as trainers for Dassl.

    from ship_dassl import Classifier, Ship, Synthesized, load_clip

`import ship_dassl.ship` (in a checkout that it is copied into: `import trainers.ship`) registers SHIP with Dassl,
`import ship_dassl.all` all methods; importing this package imports and registers nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .library import Classifier, Clip, Ship, Synthesized, load_clip

__all__ = ["Classifier", "Clip", "Ship", "Synthesized", "load_clip"]


def __getattr__(name: str) -> object:
    """Those of the library, which are imported when the first is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(".library", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
