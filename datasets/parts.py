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


def without_held_out(labels: list[int], count: int, split: int) -> list[int]:
    """The base labels less `count` that are held out, at random by the number of the class split alone."""
    if count >= len(labels):
        raise DatasetError(f"DATASET.HELD_OUT is {count}, and there are {len(labels)} base classes: hold out fewer.")
    held_out = set(random.Random(f"held out of split {split}").sample(labels, count))
    return [label for label in labels if label not in held_out]


def labels_of(
    items: list[Datum], subset: str, base_labels: Callable[[list[int]], list[int]] = first_half
) -> list[int]:
    """The sorted labels of the items that are of the base classes, or of the new ones, which are the others."""
    labels = sorted({item.label for item in items})
    if subset == "all":
        return labels
    print(f"SUBSAMPLE {subset.upper()} CLASSES!")
    if len(labels) < 2:
        raise DatasetError(
            f"DATASET.SUBSAMPLE_CLASSES {subset}: base and new classes need at least two, and there is {len(labels)}."
        )
    base = set(base_labels(labels))
    return [label for label in labels if (label in base) == (subset == "base")]


def keep_classes(*parts: list[Datum], labels: list[int]) -> Parts:
    """Keeps the items of some labels, which then count from 0."""
    if labels == list(range(1 + max(item.label for item in parts[0]))):
        return parts
    relabel = {label: index for index, label in enumerate(labels)}
    return tuple(
        [
            Datum(impath=item.impath, label=relabel[item.label], domain=item.domain, classname=item.classname)
            for item in part
            if item.label in relabel
        ]
        for part in parts
    )
