"""The small random CLIP and features of its width."""

import pytest
import torch

from trainers.library import Clip, load_clip


@pytest.fixture(scope="module")
def clip(tiny_clip) -> Clip:
    return load_clip(tiny_clip, device="cpu")


@pytest.fixture(scope="module")
def features(clip) -> torch.Tensor:
    """Twelve of unit length."""
    torch.manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(12, clip.feature_dim), dim=-1)
