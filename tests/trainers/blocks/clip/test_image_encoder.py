"""Image features: CLIP's own, with and without the work that is saved."""

from functools import partial

import pytest
import torch
from clip.model import ModifiedResNet, VisionTransformer
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.class_token import class_token_feature
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


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_bf16_casts_weights_once_to_the_bits_of_autocast(precision, clip_file):
    """A tower in fp16 too: that of a ResNet ends in a product that autocast cannot do with weights in fp16."""
    backbone, images = load_backbone(str(clip_file), precision, "cpu"), torch.randn(2, 3, 32, 32)
    tower = load_backbone(str(clip_file), "fp32", "cpu").model.visual
    encode = partial(class_token_feature, tower) if isinstance(tower, VisionTransformer) else tower
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = normalize(encode(images).float(), dim=-1)
    backbone.image.in_bf16 = True
    assert torch.equal(backbone.encode_image(images), expected)
    assert backbone.image.rounded.conv1.weight.dtype == torch.bfloat16
    casts = Casts()
    with casts:
        backbone.encode_image(images)
    assert casts.of_weights(backbone.image.rounded) == 0
    assert next(backbone.model.visual.parameters()).dtype != torch.bfloat16  # for the hash that the cache asks for


class Casts(TorchDispatchMode):
    """Which tensors are cast to another type."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[torch.Tensor] = []

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        if operation is torch.ops.aten._to_copy.default:
            self.tensors.append(arguments[0])
        return operation(*arguments, **(options or {}))

    def of_weights(self, tower: torch.nn.Module) -> int:
        """How many of a tower's matrices and filters are among them."""
        named = {name: weights for name, weights in tower.named_parameters() if "embedding" not in name}
        places = {weights.data_ptr() for weights in named.values() if weights.dim() > 1}
        return sum(tensor.data_ptr() in places for tensor in self.tensors)
