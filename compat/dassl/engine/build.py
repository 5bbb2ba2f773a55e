"""The registry of trainers."""

from typing import Any

from yacs.config import CfgNode

from ..utils import Registry

TRAINER_REGISTRY = Registry("TRAINER")


def build_trainer(cfg: CfgNode) -> Any:
    """Return the trainer that cfg.TRAINER.NAME names, with its data and model built."""
    return TRAINER_REGISTRY.build(cfg.TRAINER.NAME, cfg)
