"""Importing this registers the trainers of all methods, and SHIP, in Dassl's TRAINER_REGISTRY."""

from . import ship
from .blocks.methods import METHODS
from .blocks.training.trainers import trainer_of

TRAINERS = {**{name: trainer_of(name) for name in METHODS}, "SHIP": ship.SHIP}
