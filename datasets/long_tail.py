"""DATASET.LONGTAIL: training images by class that fall by Zipf's law, from NUM_SHOTS to none."""

import math
import random
from collections import Counter
from collections.abc import Sequence

from dassl.data.datasets import Datum

from .parts import by_label
from .splits import DatasetError

KEY = "DATASET.LONGTAIL"
GROUPS = {"many": 5, "few": 1, "none": 0}  # least training images of a class in it, in falling order


def zipf_counts(classes: int, most: int, share: float) -> list[int]:
    """Images of the first, second, … class: most / rank^s, rounded to the nearest whole number.

    The exponent s is that with which a share of the classes, the last ones, get less than half an image: none. It is
    near 1, as in Zipf's law of words, for some 50 classes, 16 images and a share of 0.3. At least one class gets
    images, and at least one gets none.
    """
    with_images = min(max(1, round((1 - share) * classes)), classes - 1)
    exponent = math.log(2 * most) / math.log(with_images + 0.5)
    return [math.floor(most / rank**exponent + 0.5) for rank in range(1, classes + 1)]


def counts_by_label(labels: Sequence[int], most: int, share: float, seed: int) -> dict[int, int]:
    """How many images each class gets; the seed draws which class is first, second and so on.

    Raises DatasetError where there is nothing to fall.
    """
    if len(labels) < 2 or most < 1:
        what = f"{len(labels)} classes" if most >= 1 else f"DATASET.NUM_SHOTS {most}: all images"
        raise DatasetError(
            f"{KEY} needs at least two classes, and DATASET.NUM_SHOTS of the first of them; here {what}."
        )
    order = random.Random(f"long tail of seed {seed}").sample(sorted(labels), len(labels))
    return dict(zip(order, zipf_counts(len(labels), most, share), strict=True))


def first_of_each(items: Sequence[Datum], counts: Sequence[int]) -> list[Datum]:
    """As many items of each class, by its label, those that come first."""
    return [item for group in by_label(list(items)) for item in group[: counts[group[0].label]]]


def groups_of(train: Sequence[Datum], classes: int) -> dict[str, list[int]]:
    """Labels by group of GROUPS, by the training items that a class has."""
    counts = Counter(item.label for item in train)
    found: dict[str, list[int]] = {name: [] for name in GROUPS}
    for label in range(classes):
        found[next(name for name, least in GROUPS.items() if counts[label] >= least)].append(label)
    return found
