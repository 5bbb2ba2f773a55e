"""Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..keys import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE, TRUTH, Key, number, several
from .base import PREC, FeatureClassifier, method
from .cache import Cache


@method("TipAdapterF", family="adapters", year=2021, node="TIPADAPTER")
class TipAdapterF(FeatureClassifier):
    """Logits scale · f · t_c + alpha · exp(−beta (1 − f · K)) · V, with trained keys K of the training images.

    `tune` searches alpha and beta on validation images. Classes without a key cannot be classified; with SHIP they
    get synthesized ones.
    """

    keys = {
        "ALPHA": Key(1.0, NOT_NEGATIVE, "weight of the cache, where the validation set has nothing to say"),
        "BETA": Key(5.5, NOT_NEGATIVE, "sharpness of the cache, likewise"),
        "SEARCH": Key(True, TRUTH, "search both on the validation set"),
        "SEARCH_SCALE": Key(
            (7.0, 3.0),
            several(2, number(0.1), "two numbers of at least 0.1: the largest beta and alpha"),
            "largest beta and alpha tried",
        ),
        "SEARCH_STEP": Key(
            (200, 20),
            several(2, AT_LEAST_ONE, "two whole numbers of at least 1: how many values of beta and alpha"),
            "values of beta and alpha tried",
        ),
        "VIEWS": Key(10, AT_LEAST_ONE, "augmented views that a key is the mean of"),
        "PREC": PREC,
        "SCHEDULE_PER_STEP": Key(True, TRUTH, "TipAdapterF: the learning rate changes with each step, not epoch"),
        "ADAM_EPS": Key(1e-4, POSITIVE, "TipAdapterF: epsilon of Adam and its relatives"),
        "DROP_LAST": Key(False, TRUTH, "TipAdapterF: whether an epoch leaves out its incomplete last batch"),
    }
    checkpoint_name = "tip_adapter"
    remembers = True
    knows_new = False

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = Cache(backbone.feature_dim, options.ALPHA, options.BETA)

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.template_features(classnames)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        self.learned.fill(features, labels, self.classes)

    def cache_logits(self, features: Tensor, beta: Tensor, values: Tensor) -> Tensor:
        """exp(−beta (1 − f · K)) · V of features (B, D): (B, C)."""
        return torch.exp(beta * (features @ self.learned.keys.t() - 1)) @ values

    def forward(self, features: Tensor) -> Tensor:
        cache = self.learned
        cached = self.cache_logits(features, cache.beta, cache.values(self.classes))
        return self.logits(features, self.text_features) + cache.alpha * cached

    @torch.no_grad()
    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Sets alpha and beta to the most accurate of the grid; the first of those that are equally good."""
        if not self.options.SEARCH:
            return
        (top_beta, top_alpha), (betas, alphas) = self.options.SEARCH_SCALE, self.options.SEARCH_STEP
        beta = torch.linspace(0.1, top_beta, betas + 1, device=features.device)[:-1]
        alpha = torch.linspace(0.1, top_alpha, alphas + 1, device=features.device)[:-1]
        without, values = self.logits(features, self.text_features), self.learned.values(self.classes)
        right = torch.stack(
            [self.count_right(without, self.cache_logits(features, b, values), alpha, labels) for b in beta]
        )
        best = int(right.argmax())
        self.learned.beta, self.learned.alpha = beta[best // alphas].clone(), alpha[best % alphas].clone()
        print(
            f"Searched on {len(labels)} validation images: beta {self.learned.beta:.2f}, "
            f"alpha {self.learned.alpha:.2f}, accuracy {100 * int(right.max()) / len(labels):.2f}%"
        )

    @staticmethod
    def count_right(without: Tensor, cached: Tensor, alpha: Tensor, labels: Tensor) -> Tensor:
        """For each alpha (A,) how many of the logits without + alpha · cached (N, C) are highest at the label."""
        return ((without + alpha[:, None, None] * cached).argmax(dim=-1) == labels).sum(dim=-1)


@method("TipAdapter", family="adapters", year=2021, node="TIPADAPTER")
class TipAdapter(TipAdapterF):
    """Keeps the keys as they were made."""

    trains = False
