"""A map of features in the plane: real ones of base and new classes beside synthesized ones."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .prompts import even_rows, principal_plane

TSNE, PCA = "tsne", "pca"
KINDS = (TSNE, PCA)
CLASSES, OF_EACH = 5, 20  # of each half, and features of each class: more than that no eye tells apart
PERPLEXITY = 30.0


def places(features: Tensor, kind: str) -> list[list[float]]:
    """Places (N, 2) of normalized features (N, D), by t-SNE (van der Maaten and Hinton, JMLR 2008) or PCA."""
    if kind == PCA or len(features) < 5:
        return principal_plane(features)
    from sklearn.manifold import TSNE as Neighbours

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    values = features.double().cpu().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about defaults that will change
        found = Neighbours(perplexity=perplexity, init="pca", random_state=0).fit_transform(values)
    return np.asarray(found, dtype=float).tolist()


def feature_map(groups: Sequence[tuple[str, Tensor, Tensor]], names: Sequence[str], kind: str) -> dict[str, Any]:
    """A map of groups: a kind of point, features (N, D), labels (N,) that index names. Of a class OF_EACH at most."""
    points, features = [], []
    for group, some, labels in groups:
        for label in labels.unique().tolist():
            rows = torch.nonzero(labels == label).flatten()
            rows = rows[list(even_rows(len(rows), OF_EACH))]
            features.append(some[rows])
            points += [{"kind": group, "class": names[label]}] * len(rows)
    found = places(torch.cat(features), kind)
    return {"kind": kind, "points": [{**point, "at": at} for point, at in zip(points, found, strict=True)]}


def chosen(labels: Sequence[int], count: int = CLASSES) -> list[int]:
    """So many of the labels, evenly spaced."""
    return [labels[row] for row in even_rows(len(labels), count)]
