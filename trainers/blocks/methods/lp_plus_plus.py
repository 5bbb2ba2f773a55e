"""LP++ (Huang et al., CVPR 2024): a linear head with text weights, whose learning rates follow from the features."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot

from ..keys import AT_LEAST_ONE, AT_LEAST_ZERO, NOT_NEGATIVE, TRUTH, Key
from .base import PREC, FeatureClassifier, method
from .kept import ClassWeights

MOMENTUM = 0.9
Head = tuple[Tensor, Tensor, Tensor]  # weight (C, D), bias (C,), text weights (C,)


@method("LPplusplus", family="linear", year=2024)
class LPplusplus(FeatureClassifier):
    """Logits f · w_c + b_c + a_c (f · t_c), trained in full batches by gradient descent.

    A class without images has its text feature alone: w_c and b_c are 0, a_c is the mean of the others'.
    """

    keys = {
        "STEPS": Key(300, AT_LEAST_ONE, "steps, each on all training features"),
        "TEXT_EVERY": Key(10, AT_LEAST_ONE, "steps between those of the text weights"),
        "TEXT_START": Key(250.0, NOT_NEGATIVE, "text weights begin with this times the mean of f · t_c over images"),
        "SEARCH": Key(True, TRUTH, "take the head after the step that is best on the validation set, not the last"),
        "VIEWS": Key(1, AT_LEAST_ZERO, "augmented views of each training image; 0: as the test sees it"),
        "PREC": PREC,
    }
    checkpoint_name = "lp_plus_plus"
    remembers = True
    views_apart = True
    trains = False

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = ClassWeights(backbone.feature_dim, "bias", "text_weight")

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.selected_features(classnames)

    def forward(self, features: Tensor) -> Tensor:
        weight, bias, text_weight = self.learned.among(self.classes)
        new = [row is None for row in self.learned.owners.find(self.classes)]
        if any(new) and len(self.learned.owners):
            text_weight = text_weight.clone()
            text_weight[torch.tensor(new, device=text_weight.device)] = self.learned.text_weight.mean()
        return self.head_logits(features, self.text_features, weight, bias, text_weight)

    @staticmethod
    def head_logits(features: Tensor, text: Tensor, weight: Tensor, bias: Tensor, text_weight: Tensor) -> Tensor:
        return linear(features, weight, bias) + text_weight * (features @ text.t())

    def remember(self, features: Tensor, labels: Tensor) -> None:
        """Trains, and keeps the head after the last step."""
        start = nn.Linear(features.shape[1], len(self.classes)).bias.detach().to(features)
        self.trained_among, self.training = self.classes, (features, labels, self.text_features, start)
        for head in self.steps():
            last = head
        self.keep(last)

    def keep(self, head: Head) -> None:
        self.learned.fill(self.trained_among, **dict(zip(self.learned.growing, head, strict=True)))

    @torch.no_grad()
    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Trains again, and keeps the head of the best accuracy; the latest of those that are equally good."""
        if not self.options.SEARCH:
            return
        best, chosen, at = -1, None, 0
        for step, head in enumerate(self.steps(), start=1):
            self.keep(head)
            right = int((self(features).argmax(dim=-1) == labels).sum())
            if right >= best:
                best, chosen, at = right, tuple(part.clone() for part in head), step
        self.keep(chosen)
        print(f"Searched on {len(labels)} validation images: step {at}, accuracy {100 * best / len(labels):.2f}%")

    @torch.no_grad()
    def steps(self) -> Iterator[Head]:
        """The head after each step; its tensors change with the next.

        The text weights follow the sum of all their gradients so far, as in the authors' code.
        """
        features, labels, text_features, bias = self.training
        count, text = len(labels), features @ text_features.t()
        targets = one_hot(labels, len(text_features)).to(features)
        of_class = targets.sum(dim=0).clamp(min=1)
        start = self.options.TEXT_START * ((text * targets).sum(dim=0) / of_class).mean()
        rate = 4 * count / torch.linalg.eigvalsh(features.t() @ features).max()
        text_rate = count / (4 * text.square().sum(dim=0).max())

        weight, bias, text_weight = targets.t() @ features, bias.clone(), start.repeat(len(of_class))
        weight_speed, bias_speed, pull = map(torch.zeros_like, (weight, bias, text_weight))
        for step in range(1, self.options.STEPS + 1):
            logits = linear(features, weight, bias) + text_weight * text
            error = (logits.softmax(dim=-1) - targets) / count
            weight -= rate * weight_speed.mul_(MOMENTUM).add_(error.t() @ features)
            bias -= rate * bias_speed.mul_(MOMENTUM).add_(error.sum(dim=0))
            pull += (error * text).sum(dim=0)
            if step % self.options.TEXT_EVERY == 0:
                text_weight -= text_rate * pull
            yield weight, bias, text_weight
