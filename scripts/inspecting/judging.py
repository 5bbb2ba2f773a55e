"""How good predictions are: by class, which classes are taken for which, and whether confidence can be trusted."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import precision_recall_fscore_support
from torch import Tensor

BINS = 15  # of confidence, of one width, as in Guo et al., ICML 2017
PAIRS = 8  # of classes that are confused
AT_ONCE = 4096  # pictures


def confidence_of(logits: Tensor) -> np.ndarray:
    """The highest softmax probability (N,) of each of the logits (N, C)."""
    parts = [some.double().softmax(dim=-1).max(dim=-1).values for some in logits.split(AT_ONCE)]
    return torch.cat(parts).cpu().numpy()


def by_class(labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall (which is the accuracy on the class) and F1 in % of each class that has pictures."""
    rows = range(len(names))
    precision, recall, f1, count = precision_recall_fscore_support(labels, predicted, labels=rows, zero_division=0)
    return [
        {
            "class": names[row],
            "pictures": int(count[row]),
            "accuracy": 100 * float(recall[row]),
            "precision": 100 * float(precision[row]),
            "f1": 100 * float(f1[row]),
        }
        for row in rows
        if count[row]
    ]


def overall(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over all pictures, and means over the classes of `by_class`, in %."""
    means = {name: float(np.mean([row[name] for row in classes])) for name in ("accuracy", "precision", "f1")}
    return {
        "pictures": len(labels),
        "correct": int((labels == predicted).sum()),
        "accuracy": 100 * float((labels == predicted).mean()),
        "mean_accuracy": means["accuracy"],
        "mean_precision": means["precision"],
        "mean_f1": means["f1"],
    }


def confusions(labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """Pairs of classes, those first of which most pictures of the one are taken for the other; `rows` are these."""
    wrong = np.flatnonzero(labels != predicted)
    pairs = Counter(zip(labels[wrong].tolist(), predicted[wrong].tolist(), strict=True))
    of_class = Counter(labels.tolist())
    ordered = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:PAIRS]
    return [
        {
            "class": names[true],
            "taken_for": names[other],
            "pictures": count,
            "of": of_class[true],
            "share": 100 * count / of_class[true],
            "rows": [int(row) for row in wrong if (labels[row], predicted[row]) == (true, other)],
            "rows_of_other": [int(row) for row in np.flatnonzero((labels == other) & (predicted == other))],
        }
        for (true, other), count in ordered
    ]


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """Mean confidence and accuracy in % by bins of confidence, and the expected calibration error in points.

    ECE = Σ_b n_b / N · |accuracy_b − confidence_b| over bins of one width (Naeini et al., AAAI 2015).
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    found, error = [], 0.0
    for index in range(bins):
        inside = place == index
        if inside.any():
            sure, accuracy = 100 * float(confidence[inside].mean()), 100 * float(right[inside].mean())
            error += float(inside.mean()) * abs(accuracy - sure)
            edges = {"from": 100 * index / bins, "to": 100 * (index + 1) / bins}
            found.append({**edges, "pictures": int(inside.sum()), "confidence": sure, "accuracy": accuracy})
    return {"ece": error, "bins": found, "count": bins, "confidence": 100 * float(confidence.mean())}
