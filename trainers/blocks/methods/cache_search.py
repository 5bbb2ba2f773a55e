"""The search for Tip-Adapter's alpha and beta: how many validation images each pair of a grid gets right."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from yacs.config import CfgNode

from .cache import Cache


class Cached(Protocol):
    """What is asked of a method with a cache; see tip_adapter.py."""

    learned: Cache
    text_features: Tensor
    classnames: Sequence[str]

    def logits(self, features: Tensor, text_features: Tensor) -> Tensor: ...

    def affinities(self, features: Tensor) -> Tensor: ...

    def values(self) -> Tensor: ...

    def cache_logits(self, affinities: Tensor, beta: Tensor, values: Tensor) -> Tensor: ...

    def images_at_once(self, numbers_each: int) -> int: ...


def grid_of(options: CfgNode, device: torch.device) -> tuple[Tensor, Tensor]:
    """The values of beta (E,) and of alpha (A,) that are tried."""
    tops, steps = options.SEARCH_SCALE[:2], options.SEARCH_STEP[:2]
    return tuple(torch.linspace(0.1, top, n + 1, device=device)[:-1] for top, n in zip(tops, steps, strict=True))


def right_by_grid(classifier: Cached, features: Tensor, labels: Tensor, beta: Tensor, alpha: Tensor) -> Tensor:
    """For each beta (E,) and alpha (A,) how many features' (N, D) logits are highest at the label: (E, A).

    In parts that fit memory.
    """
    size = classifier.images_at_once(max(len(classifier.learned.keys), len(alpha) * len(classifier.classnames)))
    parts = zip(features.split(size), labels.split(size), strict=True)
    return torch.stack([_count_right(classifier, *part, beta, alpha) for part in parts]).sum(dim=0)


def _count_right(classifier: Cached, features: Tensor, labels: Tensor, beta: Tensor, alpha: Tensor) -> Tensor:
    without = classifier.logits(features, classifier.text_features)
    affinities, values = classifier.affinities(features), classifier.values()
    cached = (classifier.cache_logits(affinities, one, values) for one in beta)
    guessed = ((without + alpha[:, None, None] * logits).argmax(dim=-1) for logits in cached)
    return torch.stack([(guess == labels).sum(dim=-1) for guess in guessed])
