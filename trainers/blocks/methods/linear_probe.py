"""Linear probe (Radford et al., ICML 2021): logistic regression on image features, by scikit-learn."""

import math
import warnings
from collections.abc import Sequence

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import linear

from ..errors import InputError
from ..keys import AT_LEAST_ONE, AT_LEAST_ZERO, POSITIVE, TRUTH, Key
from .base import PREC, FeatureClassifier, method
from .kept import ClassWeights

POWERS = (6, 4, 2, 0, -2, -4, -6)  # of ten, that the search of C begins with
Head = tuple[Tensor, Tensor]  # weight (C, D), bias (C,)


@method("LinearProbe", family="linear", year=2021)
class LinearProbe(FeatureClassifier):
    """Logits f · w_c + b_c, of multinomial logistic regression with an L2 penalty; class names have no part in it."""

    keys = {
        "C": Key(1.0, POSITIVE, "inverse of the penalty's weight, where the validation set has nothing to say"),
        "SEARCH": Key(True, TRUTH, "search it on the validation set: seven powers from 1e6 to 1e-6, then by halving"),
        "SEARCH_STEPS": Key(8, AT_LEAST_ZERO, "halvings of the interval about the best power"),
        "MAX_ITER": Key(1000, AT_LEAST_ONE, "iterations of L-BFGS"),
        "VIEWS": Key(0, AT_LEAST_ZERO, "augmented views of each training image; 0: as the test sees it"),
        "PREC": PREC,
    }
    checkpoint_name = "linear_probe"
    remembers = True
    views_apart = True
    trains = False
    knows_new = False

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = ClassWeights(backbone.feature_dim, "bias")

    def classes_changed(self, classnames: Sequence[str]) -> None:
        """Its weights are chosen by name when it classifies."""

    def remember(self, features: Tensor, labels: Tensor) -> None:
        self.trained_among, self.training = self.classes, (features, labels)
        self.keep(self.fitted(math.log10(self.options.C)))

    def keep(self, head: Head) -> None:
        self.learned.fill(self.trained_among, weight=head[0], bias=head[1])

    def fitted(self, power: float) -> Head:
        """The head with C = 10 ** power."""
        (features, labels), count = self.training, len(self.trained_among)
        weight, bias = features.new_zeros(count, features.shape[1]), features.new_zeros(count)
        if len(labels.unique()) > 1:
            regression = LogisticRegression(C=10.0**power, max_iter=self.options.MAX_ITER)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # without much of a penalty there is no optimum
                regression.fit(features.double().cpu().numpy(), labels.cpu().numpy())
            rows = regression.classes_[-len(regression.coef_) :]  # of two classes the second alone has a row
            weight[rows] = torch.from_numpy(regression.coef_).to(weight)
            bias[rows] = torch.from_numpy(regression.intercept_).to(bias)
        return weight, bias

    def forward(self, features: Tensor) -> Tensor:
        known = self.learned.owners.find(self.classes)
        unknown = [name for name, row in zip(self.classes, known, strict=True) if row is None]
        if unknown:
            raise InputError(
                f"The linear probe has seen no images of {len(unknown)} classes: {', '.join(unknown[:10])}.\n"
                "Evaluate on the classes that it was fitted to, or give it the others (SHIP synthesizes them)."
            )
        return linear(features, *self.learned.among(self.classes))

    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Takes the C of the best accuracy among the powers, then goes to the better end of an ever smaller interval.

        Of ends that are equally good the smaller C is taken, of powers the larger.
        """
        if not self.options.SEARCH:
            return
        tried: dict[float, tuple[int, Head]] = {}

        def right(power: float) -> int:
            if power not in tried:
                head = self.fitted(power)
                self.keep(head)
                tried[power] = int((self.predict(features).argmax(dim=-1) == labels).sum()), head
            return tried[power][0]

        chosen = max(POWERS, key=right)
        low, high = chosen - 1.0, chosen + 1.0
        for _ in range(self.options.SEARCH_STEPS):
            middle = (low + high) / 2
            chosen, low, high = (high, middle, high) if right(high) > right(low) else (low, low, middle)
        accuracy = 100 * right(chosen) / len(labels)
        self.keep(tried[chosen][1])
        print(f"Searched on {len(labels)} validation images: C {10**chosen:.3g}, accuracy {accuracy:.2f}%")
