"""A frozen image tower, without what nothing reads."""

from copy import deepcopy

import torch
from clip.model import ModifiedResNet, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import normalize

from .class_token import class_token_feature, has_class_token
from .precision import cast_weights
from .products import fast_products


class ImageEncoder(nn.Module):
    """Images (B, 3, R, R) to features (B, D), L2-normalized and fp32. Equal to the tower's own up to rounding."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.rounded: nn.Module | None = None  # a copy in bf16, where images are encoded in it

    @property
    def in_bf16(self) -> bool:
        """Whether products and convolutions are in bf16, whatever precision the tower has."""
        return self.rounded is not None

    @in_bf16.setter
    def in_bf16(self, wanted: bool) -> None:
        self.rounded = cast_weights(deepcopy(self.tower), torch.bfloat16) if wanted else None

    @property
    def dtype(self) -> torch.dtype:
        """That images come in."""
        return _dtype_of(self.tower)

    @property
    def convolves(self) -> bool:
        """Whether it is made of convolutions, beyond the one that makes patches."""
        return sum(isinstance(part, nn.Conv2d) for part in self.tower.modules()) > 1

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        tower = self.rounded if self.in_bf16 else self.tower
        images = images.type(_dtype_of(tower))
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.in_bf16), fast_products(images.device):
            features = class_token_feature(tower, images) if has_class_token(tower) else tower(images)
        return normalize(features.float(), dim=-1)


def _dtype_of(tower: nn.Module) -> torch.dtype:
    if isinstance(tower, (VisionTransformer, ModifiedResNet)):
        return tower.conv1.weight.dtype  # other parts of these may be fp32
    return next(weight.dtype for weight in tower.parameters() if weight.is_floating_point())
