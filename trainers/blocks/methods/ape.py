"""APE (Zhu et al., ICCV 2023), training-free: Tip-Adapter's cache on selected channels of the features."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from ..keys import AT_LEAST_ONE, AT_LEAST_ZERO, NOT_NEGATIVE, SHARE, TRUTH, Key, number, several
from .base import PREC, method
from .cache import Cache
from .cache_search import grid_of, right_by_grid
from .tip_adapter import TipAdapter

EPSILON = 1e-6  # keeps the logarithm of the divergence finite


class SelectedCache(Cache):
    """A cache that knows which channels count (Q,), how hard each key is for CLIP (N,), and a third number, gamma."""

    growing = (*Cache.growing, "divergence", "channels")

    def __init__(self, feature_dim: int, alpha: float, beta: float, gamma: float) -> None:
        super().__init__(feature_dim, alpha, beta)
        self.register_buffer("gamma", torch.tensor(gamma))
        self.register_buffer("divergence", torch.zeros(0))
        self.register_buffer("channels", torch.zeros(0, dtype=torch.long))


@method("APE", family="adapters", year=2023)
class APE(TipAdapter):
    """Logits scale · f · t_c + alpha · exp(−beta (1 − f′ · K′)) · V, f′ and K′ the selected channels, normalized.

    V has exp(gamma · d_i) in place of the ones, d_i the divergence (bits) of CLIP's guess for key i from its class.
    """

    keys = {
        "ALPHA": Key(2.0, NOT_NEGATIVE, "weight of the cache, where the validation set has nothing to say"),
        "BETA": Key(1.0, NOT_NEGATIVE, "sharpness of the cache, likewise"),
        "GAMMA": Key(0.1, NOT_NEGATIVE, "how much more keys count that CLIP gets wrong, likewise"),
        "SEARCH": Key(True, TRUTH, "search all three on the validation set"),
        "SEARCH_SCALE": Key(
            (7.0, 7.0, 1.0),
            several(3, number(0.1), "three numbers of at least 0.1: the largest beta, alpha and gamma"),
            "largest beta, alpha and gamma tried",
        ),
        "SEARCH_STEP": Key(
            (200, 20, 20),
            several(3, AT_LEAST_ONE, "three whole numbers of at least 1: how many values of beta, alpha and gamma"),
            "values of beta, alpha and gamma tried",
        ),
        "CHANNELS": Key(0.78, SHARE, "share of the features' channels that is selected"),
        "SIMILARITY": Key(
            0.7, NOT_NEGATIVE, "weight of a channel's similarity between classes, which counts against it"
        ),
        "VARIANCE": Key(
            0.3, NOT_NEGATIVE, "weight of its variance over the classes' text features, which counts for it"
        ),
        "VIEWS": Key(10, AT_LEAST_ZERO, "augmented views that a key is the mean of; 0: as the test sees the image"),
        "PREC": PREC,
    }
    checkpoint_name = "ape"

    def __init__(self, options, backbone, classnames: Sequence[str], dataset: str) -> None:
        super().__init__(options, backbone, classnames, dataset)
        self.learned = SelectedCache(backbone.feature_dim, options.ALPHA, options.BETA, options.GAMMA)

    def remember(self, features: Tensor, labels: Tensor) -> None:
        """Keeps the features as keys, and selects channels by them and by the text features of the same classes."""
        super().remember(features, labels)
        cache, text = self.learned, self.text_features
        count = max(1, round(self.options.CHANNELS * features.shape[1]))
        cache.channels = self.worth(features, labels, text).topk(count).indices
        cosines = self.selected(features) @ self.selected(text).t()
        guesses = cosines.softmax(dim=-1)  # without CLIP's scale
        right = guesses.gather(1, labels[:, None])[:, 0]
        cache.divergence = torch.log2((1 + EPSILON) / (right + EPSILON))

    def worth(self, features: Tensor, labels: Tensor, text: Tensor) -> Tensor:
        """VARIANCE · variance of text features (C, D) − SIMILARITY · mean product of two classes' features: (D,).

        The products are of all pairs of features, images' (N, D) and names', that are of two classes.
        """
        members = one_hot(labels, len(text)).to(features)
        sums, counts = text + members.t() @ features, 1 + members.sum(dim=0)
        pairs = (counts.sum().square() - counts.square().sum()).clamp(min=1)
        similarity = (sums.sum(dim=0).square() - sums.square().sum(dim=0)) / pairs
        variance = text.var(dim=0) if len(text) > 1 else torch.zeros_like(similarity)
        return self.options.VARIANCE * variance - self.options.SIMILARITY * similarity

    def selected(self, features: Tensor) -> Tensor:
        """The selected channels of features (B, D), normalized: (B, Q)."""
        return normalize(features[:, self.learned.channels], dim=-1)

    def affinities(self, features: Tensor) -> Tensor:
        return self.selected(features) @ self.selected(self.learned.keys).t()

    def values(self) -> Tensor:
        return super().values() * (self.learned.gamma * self.learned.divergence).exp()[:, None]

    @torch.no_grad()
    def tune(self, features: Tensor, labels: Tensor) -> None:
        """Sets beta, alpha and gamma to the most accurate of the grid; the first of those that are equally good."""
        if not self.options.SEARCH:
            return
        grid = grid_of(self.options, features.device)
        top, steps = self.options.SEARCH_SCALE[2], self.options.SEARCH_STEP[2]
        gammas, right = [top * step / steps for step in range(steps)], []
        for gamma in gammas:
            self.learned.gamma.fill_(gamma)
            right.append(right_by_grid(self, features, labels, *grid))
        best = int(torch.stack(right, dim=-1).argmax())  # in the order of beta, alpha, gamma
        self.learned.gamma.fill_(gammas[best % steps])
        print(f"Searched gamma too: {self.learned.gamma:.2f}")
        super().tune(features, labels)
