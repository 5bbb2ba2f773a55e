"""A vision transformer by its parts: as many images at once as there is room for, whatever their place."""

import pytest
import torch
from clip.model import QuickGELU, VisionTransformer

from trainers.blocks.clip import class_token
from trainers.blocks.clip.class_token import class_token_feature, even_part, has_class_token, quick_gelu_

TOKENS, WIDTH = 17, 64
IMAGE = 4 * TOKENS * WIDTH * 4  # bytes within an mlp, fp32


@pytest.fixture
def tower():
    torch.manual_seed(0)
    return VisionTransformer(32, 8, WIDTH, layers=3, heads=2, output_dim=24).eval().requires_grad_(False)


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_features_are_the_towers(tower, dtype, allowed):
    """LayerNorm is CLIP's own, in fp32."""
    tower = tower.to(dtype)
    for norm in (part for part in tower.modules() if isinstance(part, torch.nn.LayerNorm)):
        norm.float()
    images = torch.randn(6, 3, 32, 32, dtype=dtype)
    torch.testing.assert_close(class_token_feature(tower, images), tower(images), rtol=0, atol=allowed)


@pytest.mark.parametrize(
    ("count", "most", "size"), [(6, 4, 3), (8, 8, 8), (100, 8, 5), (7, 4, 1), (3, 0, 1), (2, 9, 2)]
)
def test_parts_are_of_one_size(count, most, size):
    assert even_part(count, most) == size


def test_images_run_in_parts_that_the_cache_has_room_for(tower, monkeypatch):
    sizes, images = [], torch.randn(6, 3, 32, 32)
    whole = class_token_feature(tower, images)
    monkeypatch.setattr(class_token, "CACHE", 4 * IMAGE)
    tower.conv1.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    torch.testing.assert_close(class_token_feature(tower, images), whole)
    assert sizes == [3, 3]


def test_images_stay_as_they_are(tower):
    images = torch.randn(2, 3, 32, 32)
    before = images.clone()
    class_token_feature(tower, images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_activation_is_clips_in_its_inputs_place(dtype):
    x = torch.linspace(-30, 30, 1001).to(dtype)
    expected = QuickGELU()(x.double())
    found = quick_gelu_(x)
    assert found.data_ptr() == x.data_ptr()
    torch.testing.assert_close(found.double(), expected, rtol=4 * torch.finfo(dtype).eps, atol=1e-6)


def test_a_tower_of_other_parts_is_left_to_itself(tower):
    assert has_class_token(tower)
    assert not has_class_token(torch.nn.Identity())
