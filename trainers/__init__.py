"""The methods; importing this package registers them in Dassl's TRAINER_REGISTRY."""

from yacs.config import CfgNode

from . import coop, ship, zsclip

__all__ = ["coop", "extend_cfg", "ship", "zsclip"]


def extend_cfg(cfg: CfgNode) -> None:
    """Adds the configuration keys of all methods."""
    coop.extend_cfg(cfg)
    ship.extend_cfg(cfg)
