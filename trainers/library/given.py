"""Features and labels that a user gives, checked, as tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.utils import check_array, column_or_1d
from torch import Tensor

from ..blocks.clip.backbone import Backbone
from ..blocks.clip.class_names import first, is_readable
from ..blocks.errors import InputError

Features = Tensor | np.ndarray  # (N, D), L2-normalized
Labels = Sequence[str] | Sequence[int] | Tensor | np.ndarray  # (N,)


def plain(given: Any) -> Any:
    """A tensor of any device as scikit-learn takes it; all else as it is."""
    return given.detach().float().cpu().numpy() if isinstance(given, Tensor) else given


def several(given: Sequence, what: str) -> list:
    """What is given as a list; raises InputError where it is one thing alone, or nothing."""
    if isinstance(given, (str, Path, Image.Image)) or not len(given):
        raise InputError(f"A list of {what} is needed, and this is {given!r}.")
    return list(given)


def names_of(classnames: Sequence[str], backbone: Backbone) -> list[str]:
    """Class names as a list; raises InputError where one is no text that the backbone could read."""
    names = several(classnames, "class names")
    unreadable = [repr(name) for name in names if not is_readable(name, backbone.tokenizer)]
    if unreadable:
        raise InputError(f"CLIP cannot read {len(unreadable)} of the class names: {first(unreadable)}.")
    return list(map(str, names))


def feature_tensor(features: Features, backbone: Backbone) -> Tensor:
    """Features (N, D) in fp32, on the CPU, not normalized again; raises ValueError where D is not the backbone's."""
    array = check_array(plain(features), dtype=np.float32)
    check_width(array.shape[1], backbone)
    return torch.tensor(array)


def check_width(width: int, backbone: Backbone) -> None:
    if width != backbone.feature_dim:
        name = backbone.identity["backbone_name"]
        raise ValueError(f"X has {width} features, but those of {name} have {backbone.feature_dim} dimensions.")


def sorted_classes(y: np.ndarray) -> tuple[np.ndarray, Tensor]:
    """The class names in y (N,), sorted, and labels (N,) that index them; raises InputError where y has none."""
    if not all(isinstance(name, str) for name in y):
        raise InputError(
            f"y has {y[0]!r}, which is no text. Prompts are made of class names: y should hold the name of each "
            "row's class, such as names[label] for a label."
        )
    classes, labels = np.unique(y.astype(str), return_inverse=True)
    return classes, torch.from_numpy(labels)


def labels_of(
    labels: Labels, classnames: Sequence[str] | None, count: int, backbone: Backbone
) -> tuple[Tensor, list[str]]:
    """Labels (N,) that index the class names, and these: those in `labels`, sorted, where none are given.

    Raises InputError where they are not as many as there are features, or name or number no class.
    """
    given = column_or_1d(np.asarray(plain(labels) if not isinstance(labels, Tensor) else labels.cpu()))
    if len(given) != count:
        raise InputError(f"There are {count} features and {len(given)} labels.")
    if classnames is None:
        classes, found = sorted_classes(given)
        return found, names_of(classes, backbone)
    names = names_of(classnames, backbone)
    if all(isinstance(name, str) for name in given):
        unknown = sorted(set(given.tolist()) - set(names))
        if unknown:
            raise InputError(f"{unknown[0]!r} is a label, and not one of the class names: {', '.join(names)}.")
        return torch.tensor([names.index(name) for name in given]), names
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= len(names):
        raise InputError(f"Labels should name one of {len(names)} classes, or be their numbers from 0 on.")
    return torch.from_numpy(given.astype(np.int64)), names
