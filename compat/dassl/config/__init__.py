"""The configuration: yacs nodes with Dassl's defaults."""

from yacs.config import CfgNode

from .defaults import DEFAULTS


def get_cfg_default() -> CfgNode:
    """Return a fresh copy of the default configuration, to be extended, merged into and frozen."""
    return CfgNode(DEFAULTS)


def clean_cfg(cfg: CfgNode, trainer: str) -> None:
    """Drop from cfg.TRAINER, in place, the sections of all trainers but `trainer`."""
    for key in list(cfg.TRAINER):
        if key not in ("NAME", trainer.upper()):
            del cfg.TRAINER[key]
