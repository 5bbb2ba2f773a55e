"""SHIP and the few-shot methods from Python, on features: CLIP, Ship, and estimators in scikit-learn's manner.

    from ship_dassl.library import Classifier, Ship, Synthesized, load_clip

The trainers of this project do the training; nothing is written.
"""

from .clip import Clip, load_clip
from .estimators import Classifier, Synthesized
from .ship import Ship

__all__ = ["Classifier", "Clip", "Ship", "Synthesized", "load_clip"]
