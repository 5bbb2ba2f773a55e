"""What stage 2 minimizes: the method's loss of real and synthesized features, joint or split, and KgCoOp's pull."""

from collections.abc import Callable

from torch import Tensor

from ..methods import FeatureClassifier
from ..methods.base import Loss
from ..run.classes import Classes

LOSSES = ("joint", "split")
Minimized = Callable[[Tensor, Tensor], Loss]  # features (B, D) and labels (B,) to the loss and what to print of it


class SplitLoss:
    """½ · the loss of the real features among the known classes + ½ · that of the synthesized among the new ones.

    In the joint softmax "real or synthesized" predicts "known or new", since the two kinds of features can be told
    apart, and images of new classes, which are real, then go to known classes. Split, no real feature's gradient
    reaches the logit of a new class, nor a synthesized one's that of a known class.

    Batches are as MixedBatches makes them: real features first, then `count` synthesized ones, as many as real ones
    if that is 0; labels of new classes follow those of known ones. Where one set of classes has both roles, `new`
    is None: each half is among all classes, so that with as many of each this is the plain loss.
    """

    def __init__(
        self, loss: Minimized, classifier: FeatureClassifier, known: Classes, new: Classes | None, count: int = 0
    ) -> None:
        self.loss, self.classifier, self.count = loss, classifier, count
        self.roles = ((known, 0), (known, 0) if new is None else (new, len(known)))  # classes, their first label

    def __call__(self, features: Tensor, labels: Tensor) -> Loss:
        made = self.count or len(features) // 2
        parts = zip(*(part.split([len(part) - made, made]) for part in (features, labels)), strict=True)
        (real, shown), (synthesized, also) = map(self.half, parts, self.roles)
        return (real + synthesized) / 2, {name: (value + also[name]) / 2 for name, value in shown.items()}

    def half(self, batch: tuple[Tensor, Tensor], role: tuple[Classes, int]) -> Loss:
        (features, labels), (classes, first) = batch, role
        with self.classifier.among(classes):
            return self.loss(features, labels - first)


class Pulled:
    """The method's loss + weight · mean_c (1 − cos(t_c, the template's text feature of c)), KgCoOp's second term.

    Yao et al., CVPR 2023. The mean is over the classes that the features are classified among. The method has
    `text_features`, which gives those of its prompts (C, D), normalized.
    """

    def __init__(self, classifier: FeatureClassifier, weight: float) -> None:
        self.classifier, self.weight = classifier, weight

    def __call__(self, features: Tensor, labels: Tensor) -> Loss:
        loss, shown = self.classifier.loss(features, labels)
        text, template = self.classifier.text_features(), self.classifier.template_features(self.classifier.classes)
        pull = 1 - (text * template).sum(dim=-1).mean()
        return loss + self.weight * pull, shown | {"pull": pull.detach()}
