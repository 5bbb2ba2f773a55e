"""GDA (Wang et al., ICLR 2024): Gaussian discriminant analysis beside zero-shot CLIP, in closed form."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..errors import InputError
from ..keys import AT_LEAST_ONE, AT_LEAST_ZERO, NOT_NEGATIVE, TRUTH, Key, one_of
from .base import PREC, FeatureClassifier, method
from .kept import Memory

ALPHAS = tuple(10.0**power for power in range(-4, 3))  # that `tune` tries


@method("GDA", family="closed_form", year=2024)
class GDA(FeatureClassifier):
    """Logits scale · f · t_c + alpha · (f · P μ_c − ½ μ_c · P μ_c − log C), P one precision for all classes.

    Mean μ_c and P are those of the training features. A class without any gets them from the training features
    nearest to its text feature; with SHIP, synthesized features are training features like the others.
    """

    keys = {
        "ALPHA": Key(1.0, NOT_NEGATIVE, "weight of the Gaussians, where the validation set has nothing to say"),
        "SEARCH": Key(True, TRUTH, "search it on the validation set, among the powers of ten from 1e-4 to 100"),
        "COVARIANCE": Key("shrunk", one_of("shrunk", "by_class"), "within all classes, shrunk; or the classes' mean"),
        "NEIGHBOURS": Key(64, AT_LEAST_ONE, "of a class without images: nearest training features"),
        "TEXT_COUNT": Key(16, AT_LEAST_ZERO, "of such a class: how often its text feature counts in its mean"),
        "VIEWS": Key(10, AT_LEAST_ZERO, "augmented views of each training image; 0: as the test sees it"),
        "PREC": PREC,
    }
    checkpoint_name = "gda"
    remembers = True
    views_apart = True
    trains = False

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = Memory(backbone.feature_dim)
        self.learned.register_buffer("alpha", torch.tensor(float(options.ALPHA)))

    def classes_changed(self, classnames: Sequence[str]) -> None:
        self.text_features = self.selected_features(classnames)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        self.learned.fill(features, labels, self.classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features, self.text_features) + self.learned.alpha * self.gaussian_logits(features)

    @torch.no_grad()
    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Sets alpha to the most accurate; the first of those that are equally good."""
        if not self.options.SEARCH:
            return
        text, gaussian = self.logits(features, self.text_features), self.gaussian_logits(features)
        right = [int(((text + alpha * gaussian).argmax(dim=-1) == labels).sum()) for alpha in ALPHAS]
        self.learned.alpha.fill_(ALPHAS[right.index(max(right))])
        accuracy = 100 * max(right) / len(labels)
        print(f"Searched on {len(labels)} validation images: alpha {self.learned.alpha:g}, accuracy {accuracy:.2f}%")

    def gaussian_logits(self, features: Tensor) -> Tensor:
        """f · P μ_c − ½ μ_c · P μ_c − log C of features (B, D): (B, C)."""
        means, weights = self.gaussians()
        bias = -(means * weights).sum(dim=-1) / 2 - math.log(len(self.classes))
        return features @ weights.t().float() + bias.float()

    @torch.no_grad()
    def gaussians(self) -> tuple[Tensor, Tensor]:
        """Means μ_c (C, D) and P μ_c (C, D) in double precision; classes without images have a P of their own."""
        memory = self.learned
        if not len(memory.keys):
            raise InputError("GDA has no training features: train it, or give --model-dir of a run that did.")
        keys, rows = memory.keys.double(), memory.owners.find(self.classes)
        seen = torch.tensor([row is not None for row in rows], device=keys.device)
        means, weights = (keys.new_zeros(len(rows), keys.shape[1]) for _ in range(2))
        owned, precision = self.of_images(keys, memory.labels)
        means[seen] = owned[[row for row in rows if row is not None]]
        weights[seen] = means[seen] @ precision
        if not seen.all():
            means[~seen], precision = self.of_names(keys, self.text_features[~seen].double())
            weights[~seen] = means[~seen] @ precision
        return means, weights

    def of_images(self, keys: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Means (K, D) of the owners' features, keys (N, D) with labels (N,), and their precision (D, D)."""
        members = one_hot(labels, len(self.learned.owners)).to(keys)
        counts = members.sum(dim=0)
        means = (members.t() @ keys) / counts.clamp(min=1)[:, None]
        centred = keys - means[labels]
        if self.options.COVARIANCE == "shrunk":
            return means, shrunk_precision(centred.t() @ centred, len(keys))
        share = 1 / ((counts - 1).clamp(min=1) * len(counts))
        return means, inverse((centred * share[labels, None]).t() @ centred)

    def of_names(self, keys: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Means (C, D) and one precision (D, D) of classes without images, of text features (C, D).

        A class's Gaussian is that of the keys nearest to its text feature, its covariance taken about that feature.
        """
        count, extra = min(self.options.NEIGHBOURS, len(keys)), self.options.TEXT_COUNT
        near = keys[(text @ keys.t()).topk(count, dim=-1).indices]  # (C, count, D)
        means = (near.sum(dim=1) + extra * text) / (count + extra)
        apart = near - text[:, None]
        each = [shrunk_precision(one.t() @ one, count) for one in apart]
        return means, torch.stack(each).mean(dim=0)


def shrunk_precision(scatter: Tensor, count: int) -> Tensor:
    """D · (scatter + tr(scatter) / (count − 1) · I)⁻¹ of the scatter matrix (D, D) of `count` features."""
    shrinkage = scatter.trace() / max(1, count - 1)
    return len(scatter) * inverse(scatter + shrinkage * torch.eye(len(scatter)).to(scatter))


def inverse(matrix: Tensor) -> Tensor:
    """Pseudo-inverse of a symmetric matrix (D, D); 0 is what the authors' single precision takes for it."""
    return torch.linalg.pinv(matrix, rtol=len(matrix) * torch.finfo(torch.float32).eps, hermitian=True)
