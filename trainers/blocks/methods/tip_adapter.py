"""Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..keys import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE, TRUTH, Key, number, several
from ..run.classes import Classes
from .base import PREC, FeatureClassifier, method
from .cache import Cache
from .cache_search import grid_of, right_by_grid


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
    NUMBERS_AT_ONCE = 2**24  # in prediction and search, where N images have N · keys affinities
    remembers = True
    knows_new = False

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = Cache(backbone.feature_dim, options.ALPHA, options.BETA)

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.template_features(classnames)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        self.learned.fill(features, labels, self.classes)

    @property
    def shots(self) -> int:
        """How many keys a class has, rounded up."""
        return -(-len(self.learned.keys) // max(1, len(self.learned.owners)))

    def lacks(self, classnames: Sequence[str]) -> Classes:
        """Classes without a key."""
        classes = Classes.of(classnames)
        return classes.take([row for row, at in enumerate(self.learned.owners.find(classes)) if at is None])

    def learn_more(self, features: Tensor, labels: Tensor, classnames: Sequence[str]) -> None:
        cache, others = self.learned, Classes.of(classnames)
        keys = torch.cat([cache.keys.data, features])
        cache.fill(keys, torch.cat([cache.labels, labels + len(cache.owners)]), cache.owners + others)

    def affinities(self, features: Tensor) -> Tensor:
        """f · K of features (B, D) with all keys: (B, N)."""
        return features @ self.learned.keys.t()

    def values(self) -> Tensor:
        """V (N, C): what each key says of each class."""
        return self.learned.values(self.classes)

    @staticmethod
    def cache_logits(affinities: Tensor, beta: Tensor, values: Tensor) -> Tensor:
        """exp(−beta (1 − f · K)) · V of affinities (B, N) and values (N, C): (B, C)."""
        return torch.exp(beta * (affinities - 1)) @ values

    def forward(self, features: Tensor) -> Tensor:
        cache = self.learned
        cached = self.cache_logits(self.affinities(features), cache.beta, self.values())
        return self.logits(features, self.text_features) + cache.alpha * cached

    def predict(self, features: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self(some) for some in features.split(self.images_at_once(len(self.learned.keys)))])

    def images_at_once(self, numbers_each: int) -> int:
        return max(1, self.NUMBERS_AT_ONCE // max(1, numbers_each))

    @torch.no_grad()
    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Sets alpha and beta to the most accurate of the grid; the first of those that are equally good."""
        if not self.options.SEARCH:
            return
        beta, alpha = grid_of(self.options, features.device)
        right = right_by_grid(self, features, labels, beta, alpha)
        row, column = divmod(int(right.argmax()), len(alpha))
        self.learned.beta, self.learned.alpha = beta[row].clone(), alpha[column].clone()
        print(
            f"Searched on {len(labels)} validation images: beta {self.learned.beta:.2f}, "
            f"alpha {self.learned.alpha:.2f}, accuracy {100 * int(right.max()) / len(labels):.2f}%"
        )


@method("TipAdapter", family="adapters", year=2021, node="TIPADAPTER")
class TipAdapter(TipAdapterF):
    """Keeps the keys as they were made."""

    trains = False
