"""Controls that take something of the base images' residuals: against values computed by hand."""

import pytest
import torch
from torch.nn.functional import normalize
from yacs.config import CfgNode

from trainers.blocks.clip.wording import Wording
from trainers.blocks.features.batches import FeatureBank
from trainers.blocks.keys import defaults
from trainers.blocks.synthesis.kinds import KINDS, build, needs_training
from trainers.blocks.synthesis.ship_keys import KEYS

NAMES, KNOWN, TEMPLATE = ["cat", "yorkshire terrier", "boeing 747"], ["dog", "car", "tulip"], "art of the {}."
BANK_LABELS = torch.tensor([0, 0, 0, 1, 2, 1])
LABELS = torch.tensor([2, 0, 1])


@pytest.fixture
def residuals(backbone) -> torch.Tensor:
    """Of two views (2, N, D): with a mean, and one of its own for each class."""
    torch.manual_seed(0)
    by_class = 0.3 * torch.randn(3, backbone.feature_dim)
    return 0.1 * torch.randn(2, 6, backbone.feature_dim) + 0.2 + by_class[BANK_LABELS]


@pytest.fixture
def made(backbone, residuals):
    """What builds a synthesizer of a kind, of images with these residuals."""
    bank = FeatureBank(backbone.text_features(KNOWN, [TEMPLATE])[BANK_LABELS] + residuals, BANK_LABELS)

    def of(kind: str):
        options = CfgNode({**defaults(KEYS), "SYNTHESIS": kind})
        return build(options, NAMES, KNOWN, None, backbone, Wording(templates=(TEMPLATE,)), lambda views: bank)

    return of


@pytest.fixture
def shifted_text(backbone, residuals) -> torch.Tensor:
    return backbone.text_features(NAMES, [TEMPLATE])[LABELS] + residuals.flatten(end_dim=1).mean(dim=0)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_shifted_is_the_text_feature_plus_the_mean_residual(made, shifted_text):
    close(made("shifted").sample(LABELS), normalize(shifted_text, dim=-1))


def test_isotropic_noise_has_the_residuals_variance_in_every_direction_alike(made, residuals, shifted_text):
    flat = residuals.flatten(end_dim=1)
    deviation = (flat.var(dim=0).sum() / flat.shape[1]).sqrt()
    noise = torch.randn(3, flat.shape[1])
    close(made("isotropic").write(noise, LABELS), normalize(shifted_text + deviation * noise, dim=-1))
    assert made("isotropic").noise(5).shape == (5, flat.shape[1])


def test_within_has_the_pooled_covariance_within_classes(made, residuals, shifted_text):
    flat, labels = residuals.flatten(end_dim=1), BANK_LABELS.repeat(2)
    deviations = torch.stack(
        [row - flat[labels == label].mean(dim=0) for row, label in zip(flat, labels, strict=True)]
    )
    covariance = deviations.t() @ deviations / (12 - 3)
    synthesizer = made("within")
    close(synthesizer.factor.t() @ synthesizer.factor, covariance)
    noise = torch.randn(3, 12)
    close(synthesizer.write(noise, LABELS), normalize(shifted_text + noise @ deviations / 3, dim=-1))


def test_none_synthesizes_nothing(made):
    assert made("none") is None


def test_stage_one_comes_before_what_it_trains():
    assert [kind for kind in KINDS if needs_training(kind)] == ["vae", "mean", "residual"]
