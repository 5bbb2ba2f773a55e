"""CLIPs of random weights, in the sizes of the released ones."""

from typing import NamedTuple

import torch
from clip.model import CLIP

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.openai import VOCABULARY, parts_of
from trainers.blocks.errors import InputError, did_you_mean


class Sizes(NamedTuple):
    """Those of a CLIP; `layers` of a ResNet are four numbers, and it has no patches."""

    features: int
    resolution: int
    layers: int | tuple[int, int, int, int]
    width: int
    patch: int | None
    text_width: int
    text_layers: int = 12


SIZES = {
    "RN50": Sizes(1024, 224, (3, 4, 6, 3), 64, None, 512),
    "RN101": Sizes(512, 224, (3, 4, 23, 3), 64, None, 512),
    "RN50x4": Sizes(640, 288, (4, 6, 10, 6), 80, None, 640),
    "RN50x16": Sizes(768, 384, (6, 8, 18, 8), 96, None, 768),
    "RN50x64": Sizes(1024, 448, (3, 15, 36, 10), 128, None, 1024),
    "ViT-B/32": Sizes(512, 224, 12, 768, 32, 512),
    "ViT-B/16": Sizes(512, 224, 12, 768, 16, 512),
    "ViT-L/14": Sizes(768, 224, 24, 1024, 14, 768),
    "ViT-L/14@336px": Sizes(768, 336, 24, 1024, 14, 768),
    "tiny": Sizes(64, 32, 1, 64, 16, 64, text_layers=2),  # for tests
}
WINDOW = 77


def random_clip(name: str, images: bool = True, device: torch.device | str = "cpu") -> Backbone:
    """A CLIP of that name's sizes with random weights, always the same; without images, next to no image tower.

    Raises InputError where there is no such name.
    """
    if name not in SIZES:
        raise InputError(f"There is no backbone {name!r}; available: {', '.join(SIZES)}.{did_you_mean(name, SIZES)}")
    sizes, small = SIZES[name], SIZES["tiny"]
    vision = sizes if images else small
    torch.manual_seed(0)
    model = CLIP(
        sizes.features,
        *(vision.resolution, vision.layers, vision.width, vision.patch),
        *(WINDOW, VOCABULARY, sizes.text_width, sizes.text_width // 64, sizes.text_layers),
    )
    return Backbone(parts_of(model.to(device)), {"backbone": "random", "backbone_name": name})
