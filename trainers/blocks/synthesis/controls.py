"""Controls beside those of synthesizers.py: what of the base images' residuals has to be known for synthesis."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..clip.backbone import Backbone
from ..clip.wording import Wording
from .synthesizers import GaussianSynthesizer, covariance_factor


class ShiftedSynthesizer(GaussianSynthesizer):
    """Control: text feature plus the mean of the base classes' residuals, one feature for each class."""

    def noise(self, count: int) -> Tensor:
        return torch.empty(count, 0, device=self.device)

    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        return normalize(self.text_features[labels] + self.mean, dim=-1)


class IsotropicSynthesizer(GaussianSynthesizer):
    """Control: as gaussian, with noise of the residuals' variance spread evenly over all dimensions."""

    @property
    def deviation(self) -> Tensor:
        """The square root of trace(covariance) / D."""
        return (self.factor.square().sum() / self.factor.shape[1]).sqrt()

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, len(self.mean), device=self.device)

    def write(self, noise: Tensor, labels: Tensor) -> Tensor:
        return normalize(self.text_features[labels] + self.mean + self.deviation * noise, dim=-1)


class WithinSynthesizer(GaussianSynthesizer):
    """Control: as gaussian, with the covariance that residuals (N, D) of labels (N,) have within their classes."""

    def __init__(
        self, backbone: Backbone, classnames: Sequence[str], wording: Wording, residuals: Tensor, labels: Tensor
    ) -> None:
        super().__init__(backbone, classnames, wording, residuals)
        classes, rows = labels.unique(return_inverse=True)
        means = torch.stack([residuals[rows == row].mean(dim=0) for row in range(len(classes))])
        self.factor = covariance_factor(residuals - means[rows], len(classes))
