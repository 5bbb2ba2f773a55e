"""Trainers: what builds a model, trains it, saves it and tests it."""

from typing import Any

from ..missing import refuse_upstream_only
from .build import TRAINER_REGISTRY, build_trainer
from .trainer import SimpleTrainer, TrainerBase, TrainerX

__all__ = ["TRAINER_REGISTRY", "SimpleTrainer", "TrainerBase", "TrainerX", "build_trainer"]


def __getattr__(name: str) -> Any:
    refuse_upstream_only("ENGINE", name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
