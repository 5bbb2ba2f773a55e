"""The made-up features behind peers_features.json: the same numbers on every machine, by NumPy's RandomState."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

RUNS = json.loads(Path(__file__).with_name("peers_features.json").read_text(encoding="utf-8"))["features"]
NAMES, NEW_NAMES = list("abcde"), list("xyz")
BASE, NEW = len(NAMES), len(NEW_NAMES)  # classes
SHOTS, VAL, TEST = 8, 4, 6  # features of a class


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def make(
    seed: int, dim: int = 16, shots: int = SHOTS, noise: float = 2.2, text_noise: float = 1.5
) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
    """Text features of base and new classes, `text` (5, D) and `text_new` (3, D), and features with labels of
    `train`, `val`, `test` (base classes) and `test_new`: a centre for each class, and normal noise about it."""
    random = np.random.RandomState(seed)
    centres = random.randn(BASE + NEW, dim)
    text = torch.from_numpy(unit(centres + text_noise * random.randn(BASE + NEW, dim)))

    def drawn(first: int, last: int, count: int) -> tuple[Tensor, Tensor]:
        classes = np.repeat(np.arange(first, last), count)
        features = unit(centres[classes] + noise * random.randn(len(classes), dim))
        return torch.from_numpy(features), torch.from_numpy(classes - first)

    return {
        "text": text[:BASE],
        "text_new": text[BASE:],
        "train": drawn(0, BASE, shots),
        "val": drawn(0, BASE, VAL),
        "test": drawn(0, BASE, TEST),
        "test_new": drawn(BASE, BASE + NEW, TEST),
    }


WIDE = {"dim": 512, "shots": 16, "noise": 8.0, "text_noise": 4.0}  # of the runs "dim512"


class MadeUp:
    """In place of a CLIP: text features by class name, and the scale of logits."""

    logit_scale = torch.tensor(100.0)

    def __init__(self, made: dict) -> None:
        self.rows = dict(zip([*NAMES, *NEW_NAMES], torch.cat([made["text"], made["text_new"]]), strict=True))
        self.feature_dim = made["text"].shape[1]

    def text_features(self, classnames: Sequence[str], templates: Sequence[str]) -> Tensor:
        return torch.stack([self.rows[name] for name in classnames])


def gap(found: Tensor, expected: list) -> float:
    """The largest difference, relative to the largest figure."""
    expected = torch.tensor(expected)
    return ((found.float() - expected).abs().max() / expected.abs().max()).item()
