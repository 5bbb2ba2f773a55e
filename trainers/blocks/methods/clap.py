"""CLAP: Class-Adaptive linear Probing (Silva-Rodríguez et al., CVPR 2024)."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..keys import AT_LEAST_ONE, Key
from .base import PREC, Loss, method
from .zslp import ZSLP


@method("CLAP", family="linear", year=2024)
class CLAP(ZSLP):
    """ZSLP with mean_c λ_c |w_c − b_c|² added to its loss: the weights stay near the text features.

    λ_c is the mean zero-shot probability of c over features of c: what CLIP knows well may move least. It is found
    once, from all views of the training images; with SHIP, of a new class from features synthesized for it. A class
    without any features has 1.
    """

    keys = {
        "VIEWS": Key(20, AT_LEAST_ONE, "augmented views of each training image that λ is found from"),
        "PREC": PREC,
    }
    remembers = views_apart = True

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.learned.register_buffer("multipliers", torch.ones(len(self.learned.rows), device=self.backbone.device))

    def remember(self, features: Tensor, labels: Tensor) -> None:
        """Finds λ from features (N, D) and labels (N,)."""
        right = self.logits(features, normalize(self.base, dim=-1)).softmax(dim=-1).gather(1, labels[:, None])[:, 0]
        count = labels.bincount(minlength=len(self.classes))
        total = right.new_zeros(len(self.classes)).index_add_(0, labels, right)
        self.learned.multipliers = torch.where(count > 0, total / count.clamp(min=1), 1.0)

    def loss(self, features: Tensor, labels: Tensor) -> Loss:
        loss, shown = super().loss(features, labels)
        moved = self.residuals().square().sum(dim=-1)  # (C,)
        constraint = (self.learned.by_class(self.learned.multipliers, self.classes) * moved).mean()
        return loss + constraint, shown | {"constraint": constraint.detach()}
