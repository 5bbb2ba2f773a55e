"""Image features: CLIP's own, with and without the work that is saved."""

import pytest
import torch
from clip.model import ModifiedResNet, VisionTransformer
from torch.nn.functional import normalize

from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.image_encoder import ImageEncoder

TOWERS = {
    "ViT": lambda: VisionTransformer(32, patch_size=8, width=64, layers=3, heads=2, output_dim=24),
    "one block": lambda: VisionTransformer(32, patch_size=8, width=64, layers=1, heads=2, output_dim=24),
    "ResNet": lambda: ModifiedResNet((1, 1, 1, 1), output_dim=24, heads=2, input_resolution=32, width=8),
}


@pytest.fixture(params=TOWERS)
def tower(request):
    torch.manual_seed(0)
    return TOWERS[request.param]().eval()


@pytest.mark.parametrize("batch", [1, 5])
def test_features_are_clips_normalized(tower, batch):
    images = torch.randn(batch, 3, 32, 32)
    expected = normalize(tower(images), dim=-1)
    torch.testing.assert_close(ImageEncoder(tower)(images), expected, rtol=0, atol=1e-6)


def test_the_towers_weights_stay_as_they_are(tower):
    before = {name: weight.clone() for name, weight in tower.state_dict().items()}
    ImageEncoder(tower)(torch.randn(2, 3, 32, 32))
    assert before.keys() == tower.state_dict().keys()
    assert all(torch.equal(before[name], weight) for name, weight in tower.state_dict().items())


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_is_clips_too(precision, clip_file):
    backbone, images = load_backbone(str(clip_file), precision, "cpu"), torch.randn(2, 3, 32, 32)
    expected = normalize(backbone.model.encode_image(images).float(), dim=-1)
    found = backbone.encode_image(images)
    assert found.dtype == torch.float32
    assert torch.cosine_similarity(found, expected).min() > 0.9999
