"""ZSLP: a linear probe that begins at the text features (Silva-Rodríguez et al., CVPR 2024); its pool of views."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ..features.batches import Batch, Batches
from ..keys import NOT_NEGATIVE, Key, one_of
from .base import PREC, method
from .class_weights import TextResiduals


class PoolBatches:
    """Each epoch shuffles all views of all images together, and takes as many batches as the images would give.

    An epoch may so have several views of one image, and none of another. The order is NumPy's, as in CLAP's code.
    """

    def __init__(self, features: Tensor, labels: Tensor, batch_size: int, steps: int) -> None:
        self.features, self.labels, self.batch_size, self.steps = features, labels, batch_size, steps

    def __len__(self) -> int:
        return self.steps

    def draw(self) -> np.ndarray:
        """Rows (P,) of the pool, in the order of an epoch."""
        return np.random.uniform(size=len(self.labels)).argsort()

    def __iter__(self) -> Iterator[Batch]:
        order = torch.from_numpy(self.draw()).to(self.labels.device)
        for rows in order[: self.steps * self.batch_size].split(self.batch_size):
            yield self.features[rows], self.labels[rows]


@method("ZSLP", family="linear", year=2024)
class ZSLP(TextResiduals):
    """Class weights w_c that begin at the text features b_c, and cross-entropy alone (ZS-LP in the paper)."""

    keys = {
        "INIT": Key("text", one_of("text", "random"), "what w_c begins with; random: Kaiming normal instead"),
        "ALPHA": Key(1.0, NOT_NEGATIVE, "scale of the learned part of w_c; 0.5: Task Residual in CLAP's code"),
        "PREC": PREC,
    }

    @property
    def scale_of_rows(self) -> float:
        return self.options.get("ALPHA", 1.0)

    @property
    def begins_at_random(self) -> bool:
        return self.options.get("INIT", "text") == "random"

    def first_rows(self, count: int) -> Tensor:
        rows = super().first_rows(count)
        return nn.init.kaiming_normal_(rows) if self.begins_at_random else rows

    def weights(self) -> Tensor:
        if not self.begins_at_random:
            return super().weights()
        unknown = self.learned.places(self.classes, self.base.device)[:, None] < 0
        text = unknown * self.base
        return text + self.residuals()

    def training_batches(self, batches: Batches) -> Batches:
        """Of a bank of views all of them; images that are encoded anew in every epoch come as they are."""
        batches = super().training_batches(batches)
        bank = getattr(batches, "bank", None)
        return batches if bank is None else PoolBatches(*bank.pool(), batches.batch_size, len(batches))
