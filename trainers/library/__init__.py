"""SHIP and the few-shot methods from Python, on features: CLIP, Ship, and estimators in scikit-learn's manner.

    from ship_dassl import Classifier, Ship, Synthesized, load_clip

The trainers of this project do the training; nothing is written. Importing this makes `dassl` and `clip` importable.
"""

import importlib

# installed, compat is a part of the package; in the checkout it lies beside trainers/
importlib.import_module("ship_dassl.compat" if __name__.startswith("ship_dassl.") else "compat").ensure()

from .clip import Clip, load_clip
from .estimators import Classifier, Synthesized
from .ship import Ship

__all__ = ["Classifier", "Clip", "Ship", "Synthesized", "load_clip"]
