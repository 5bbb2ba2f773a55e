"""Stands where a CoOp checkout has its own CoOp."""

from dassl.engine import TRAINER_REGISTRY, TrainerX


@TRAINER_REGISTRY.register()
class CoOp(TrainerX):
    """That checkout's own."""
