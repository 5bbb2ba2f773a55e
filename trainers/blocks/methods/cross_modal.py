"""Cross-modal linear probing (Lin et al., CVPR 2023), as CLAP's code has it: text features are samples too."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn.functional import normalize

from ..errors import InputError
from ..features.batches import Batch, Batches
from .base import PREC, method
from .zslp import ZSLP, PoolBatches


class WithTexts(PoolBatches):
    """As PoolBatches, of half of a pool of images' and text features, drawn anew in each epoch, with replacement."""

    def __init__(self, images: PoolBatches, texts: Callable[[], Batch]) -> None:
        super().__init__(images.features, images.labels, images.batch_size, images.steps)
        self.images, self.texts = (images.features, images.labels), texts

    def draw(self) -> np.ndarray:
        some = np.random.choice(len(self.labels), len(self.labels) // 2)
        return some[np.random.uniform(size=len(some)).argsort()]

    def __iter__(self) -> Iterator[Batch]:
        self.features, self.labels = map(torch.cat, zip(self.images, self.texts(), strict=True))
        return super().__iter__()


@method("CrossModal", family="linear", year=2023)
class CrossModal(ZSLP):
    """ZSLP on images' features and, on average as many, text features.

    Text features are of all classes that are trained among, one per template or sentence: with SHIP, of the new ones
    too.
    """

    keys = {"PREC": PREC}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.learned.register_buffer("texts", torch.zeros(0, dtype=torch.long))  # which ones the pool has

    def training_batches(self, batches: Batches) -> Batches:
        """Images' features with as many text features, drawn once with replacement."""
        pool = super().training_batches(batches)
        if not isinstance(pool, PoolBatches):
            raise InputError("CrossModal draws from a pool of views: TRAINER.FEATURES.VIEWS should be at least 1.")
        drawn = torch.from_numpy(np.random.choice(len(self.texts.labels), len(pool.labels)))
        self.learned.texts = drawn.to(pool.labels.device)  # a run that goes on has its own again, with its state
        return WithTexts(pool, self.drawn_texts)

    def drawn_texts(self) -> Batch:
        """The text features (P, D) that the pool has, and their labels (P,)."""
        drawn = self.learned.texts
        return normalize(self.texts.each[drawn], dim=-1), self.texts.labels[drawn]
