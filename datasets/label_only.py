"""DATASET.LABEL_ONLY: classes of which only the names are known."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dassl.data.datasets import Datum

from .splits import DatasetError, first_few

KEY = "DATASET.LABEL_ONLY"


def names_in(text: str, key: str = KEY) -> list[str]:
    """Class names with commas between them, or the lines of a file; raises DatasetError, which names the key.

    What ends in .txt is a file, and so is what is there as one.
    """
    path = Path(text).expanduser()
    if path.suffix == ".txt" or os.path.isfile(path):  # a Path of too many names would raise an error
        try:
            parts = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{key}: {path} cannot be read ({getattr(error, 'strerror', None) or error})."
            ) from error
    else:
        parts = text.split(",")
    names = [name for part in parts if (name := " ".join(part.split()))]
    count = Counter(map(read_as, names))
    twice = sorted({name for name in names if count[read_as(name)] > 1})
    if twice:
        raise DatasetError(f"{key} names a class twice: {first_few(twice)}.")
    if not names:
        raise DatasetError(f"{key} is {text!r}, which has no class names; it takes 'jay, crow', or a file of lines.")
    return names


def read_as(name: str) -> str:
    """The name as far as CLIP reads it: case, spaces and underscores make no difference to it."""
    return " ".join(name.replace("_", " ").lower().split())


def split_classes(train: Sequence[Datum], names: Sequence[str]) -> tuple[list[int], list[int], list[str]]:
    """Labels of classes that keep their images, labels of those that are named, and names that are no class yet.

    Raises DatasetError where no class keeps its images.
    """
    labels = {item.label: read_as(item.classname) for item in train}
    wanted = {read_as(name) for name in names}
    known = [label for label in sorted(labels) if labels[label] not in wanted]
    if not known:
        raise DatasetError(f"{KEY} names all classes: none is left with images to train on.")
    named = [label for label in sorted(labels) if labels[label] in wanted]
    there = set(labels.values())
    return known, named, [name for name in names if read_as(name) not in there]
