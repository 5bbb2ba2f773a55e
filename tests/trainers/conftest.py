"""Small random CLIPs of both families, as files and as backbones."""

from pathlib import Path

import pytest
import torch
from clip.model import CLIP

from trainers.blocks.backbone import Backbone, load_backbone

VIT = {"vision_layers": 1, "vision_width": 64, "vision_patch_size": 16}
RESNET = {"vision_layers": (1, 1, 1, 1), "vision_width": 16, "vision_patch_size": None}


def random_clip(vision: dict, feature_dim: int, width: int, layers: int = 2) -> CLIP:
    torch.manual_seed(0)
    return CLIP(
        embed_dim=feature_dim,
        image_resolution=32,
        context_length=77,
        vocab_size=49408,
        transformer_width=width,
        transformer_heads=width // 64,
        transformer_layers=layers,
        **vision,
    )


@pytest.fixture(scope="session", params=["vit", "resnet"])
def clip_file(request, tmp_path_factory) -> Path:
    """A checkpoint of a random CLIP whose feature dimension is not the width of its text tower."""
    path = tmp_path_factory.mktemp("clip") / f"{request.param}.pt"
    vision, feature_dim, width = (VIT, 24, 128) if request.param == "vit" else (RESNET, 96, 64)
    torch.save(random_clip(vision, feature_dim, width).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def backbone(clip_file) -> Backbone:
    return load_backbone(str(clip_file), "fp32", torch.device("cpu"))
