"""Dassl's trainers of the methods, which follow from these."""

import functools

from dassl.engine import TRAINER_REGISTRY

from ..methods import METHODS
from .feature_trainer import FeatureTrainer


@functools.cache
def trainer_class(name: str) -> type[FeatureTrainer]:
    """The trainer of one of METHODS."""
    return type(name, (FeatureTrainer,), {"__doc__": METHODS[name].__doc__, "__module__": __name__})


@functools.cache
def trainer_of(name: str) -> type[FeatureTrainer]:
    """The same, registered under the method's name in TRAINER_REGISTRY."""
    trainer = trainer_class(name)
    TRAINER_REGISTRY.register(trainer)
    return trainer
