"""The methods; importing this package registers them in Dassl's TRAINER_REGISTRY."""

from . import clip_adapter, cocoop, coop, ship, tip_adapter, zsclip
from .ship import extend_cfg

__all__ = ["clip_adapter", "cocoop", "coop", "extend_cfg", "ship", "tip_adapter", "zsclip"]
