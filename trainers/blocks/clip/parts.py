"""What every family of backbones gives: the towers, the scale of logits, and what tells the model from others."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from .activation import QUICK_GELU
from .image_encoder import ImageEncoder
from .preprocessing import Preprocessing
from .text_tower import TextTower


@dataclass(frozen=True)
class Parts:
    """A frozen model, taken apart. It has a `logit_scale`, the logarithm of what cosines are multiplied by."""

    model: nn.Module
    image: ImageEncoder
    text: TextTower
    feature_dim: int
    preprocessing: Preprocessing
    activation: str = QUICK_GELU
    about: dict[str, Any] = field(default_factory=dict)  # what features depend on beside weights: libraries' versions

    @property
    def summary(self) -> str:
        """What decides its features beside weights, in a few words."""
        images = (f"{key} {value}" for key, value in self.preprocessing.wanted().items())
        return ", ".join((self.activation, *images))
