"""Cuts lists of items into parts: shares for validation and testing, base and new classes."""

import difflib
import math
import random
from collections import defaultdict
from collections.abc import Callable
from types import ModuleType

from dassl.data.datasets import Datum

from .splits import DatasetError, Parts

SUBSETS = ("all", "base", "new")
VAL_SHARE = 0.2  # of the training images, where a dataset comes without a validation set, as in CoOp
SHARES = (0.5, 0.2)  # of all images, for training and validation, where nothing is settled, as in CoOp
Rng = random.Random | ModuleType  # the module itself stands for the run's random numbers


def check_subset(subset: str) -> None:
    """Raises DatasetError unless `subset` is one of all, base, new."""
    if subset not in SUBSETS:
        near = difflib.get_close_matches(str(subset), SUBSETS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise DatasetError(f"DATASET.SUBSAMPLE_CLASSES is {subset!r}; it can be {', '.join(SUBSETS)}.{hint}")


def split_trainval(trainval: list[Datum], share: float = VAL_SHARE, rng: Rng = random) -> Parts:
    """Sets `share` of each class aside for validation; matches CoOp's split for the same random state."""
    train, val = [], []
    for items in by_label(trainval):
        rng.shuffle(items)
        count = round(len(items) * share)
        val += items[:count]
        train += items[count:]
    return train, val


def split_by_class(items: list[Datum], shares: tuple[float, float] = SHARES, rng: Rng = random) -> Parts:
    """Cuts each class into shares for training and validation and the rest for testing, as CoOp does by default."""
    train, val, test = [], [], []
    for group in by_label(items):
        rng.shuffle(group)
        first, second = (round(len(group) * share) for share in shares)
        train += group[:first]
        val += group[first : first + second]
        test += group[first + second :]
    return train, val, test


def by_label(items: list[Datum]) -> list[list[Datum]]:
    """The items of each class, classes in the order of first appearance."""
    groups = defaultdict(list)
    for item in items:
        groups[item.label].append(item)
    return list(groups.values())


def first_half(labels: list[int]) -> list[int]:
    """The base classes of CoOp's benchmark: the first ceil(n / 2) labels."""
    return labels[: math.ceil(len(labels) / 2)]


def random_half(labels: list[int], split: int) -> list[int]:
    """As many base classes, at random by the number of the class split: the same for all methods and seeds."""
    return random.Random(split).sample(labels, math.ceil(len(labels) / 2))


def halves(labels: list[int], base_labels: Callable[[list[int]], list[int]]) -> dict[str, list[int]]:
    """The sorted labels of the base and of the new classes."""
    base = set(base_labels(labels))
    return {
        "base": [label for label in labels if label in base],
        "new": [label for label in labels if label not in base],
    }


def subsample_classes(
    *parts: list[Datum], subset: str, base_labels: Callable[[list[int]], list[int]] = first_half
) -> Parts:
    """Keeps the base classes, of the labels of the first part, or the new ones, which are the others; from 0 on."""
    if subset == "all":
        return parts
    print(f"SUBSAMPLE {subset.upper()} CLASSES!")
    labels = sorted({item.label for item in parts[0]})
    if len(labels) < 2:
        raise DatasetError(
            f"DATASET.SUBSAMPLE_CLASSES {subset}: base and new classes need at least two, and there is {len(labels)}."
        )
    selected = halves(labels, base_labels)[subset]
    relabel = {label: index for index, label in enumerate(selected)}
    return tuple(
        [
            Datum(impath=item.impath, label=relabel[item.label], domain=item.domain, classname=item.classname)
            for item in part
            if item.label in relabel
        ]
        for part in parts
    )
