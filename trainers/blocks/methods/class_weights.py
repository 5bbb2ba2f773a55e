"""Classifiers with a weight vector for each class: its text feature, and a learned residual on it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..clip.prompts import IMAGENET_TEMPLATES, tokenize, tokenize_texts
from ..features.batches import Batches
from ..run.classes import ByClasses, Classes
from .base import FeatureClassifier
from .kept import Kept


class ClassRows(Kept):
    """A learned vector for each class, `rows` (C, D), with the classes that they are of."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(0, feature_dim))

    @property
    def growing(self) -> tuple[str, ...]:
        return (*self._parameters, *self._buffers)

    def own(self, classnames: Sequence[str], start: Tensor) -> None:
        """Has rows of these classes alone from now on: those it had, and of the others those of `start` (C, D)."""
        classes = Classes.of(classnames)
        known = self.places(classes, start.device)[:, None] >= 0
        self.rows.data = torch.where(known, self.of(classes).detach().to(start), start)
        self.owners = classes

    def of(self, classnames: Sequence[str]) -> Tensor:
        """Rows (C, D) of these classes; zeros where it has none."""
        return self.by_class(self.rows, classnames)


class Texts(NamedTuple):
    """Features of texts about classes, not normalized: their means (C, D), and each (P, D) with its label (P,)."""

    means: Tensor
    each: Tensor
    labels: Tensor

    def with_class(self, row: int, each: Tensor) -> "Texts":
        """With other texts (S, D) of the class in that row."""
        others, index = self.labels != row, torch.tensor([row], device=self.labels.device)
        return Texts(
            self.means.index_copy(0, index, each.mean(dim=0, keepdim=True)),
            torch.cat([self.each[others], each]),
            torch.cat([self.labels[others], index.expand(len(each))]),
        )


class TextResiduals(FeatureClassifier):
    """Logits scale · f · w_c / |w_c| with w_c = b_c + scale_of_rows · x_c: b_c a text feature, x_c learned from 0 on.

    b_c is not normalized: its length decides how far a step turns w_c. For a class without images x_c is 0, so that
    its text feature stands in.
    """

    checkpoint_name = "class_weights"

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self._texts = ByClasses()
        self.learned = ClassRows(backbone.feature_dim)
        self.learned.own(classnames, self.first_rows(len(classnames)))

    @property
    def scale_of_rows(self) -> float:
        return 1.0

    def first_rows(self, count: int) -> Tensor:
        """Rows (count, D) of classes that training begins with."""
        return torch.zeros(count, self.backbone.feature_dim, device=self.backbone.device)

    def templates(self) -> list[str]:
        several = self.dataset == "ImageNet" and not self.wording.templates
        return [*IMAGENET_TEMPLATES, *self.wording.own] if several else self.wording.own

    @torch.no_grad()
    def encoded(self, classnames: Classes) -> Texts:
        """Of the templates; of a class with sentences (DATASET.DESCRIPTIONS) those of these, see Wording."""
        text, count = self.backbone.text, len(classnames)
        tokens = [tokenize(template, classnames, text.tokenizer) for template in self.templates()]
        each = torch.stack([text.encode_tokens(rows.to(text.device)).float() for rows in tokens])  # (T, C, D)
        labels = torch.arange(count, device=each.device)
        made = Texts(each.mean(dim=0), each.flatten(end_dim=1), labels.repeat(len(tokens)))
        for row, about in self.wording.texts_about(classnames).items():
            rows = tokenize_texts(about, [classnames[row]] * len(about), text.tokenizer)
            made = made.with_class(row, text.encode_tokens(rows.to(text.device)).float())
        return made

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.texts = self._texts.of(classnames, self.encoded)
        self.base = self.texts.means  # (C, D)

    def training_batches(self, batches: Batches) -> Batches:
        """Has rows of all classes that are trained among: with SHIP, the new ones too."""
        if self.learned.owners != self.classes:
            self.learned.own(self.classes, self.first_rows(len(self.classes)))
        return batches

    def residuals(self) -> Tensor:
        """What is added to the text features: (C, D)."""
        return self.scale_of_rows * self.learned.of(self.classes)

    def weights(self) -> Tensor:
        """w_c: (C, D)."""
        return self.base + self.residuals()

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features, normalize(self.weights(), dim=-1))
