"""Small random CLIPs of both families, as files and as backbones, and SHIP in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from clip.model import CLIP
from dassl.engine import build_trainer
from dassl.utils import set_random_seed
from torch.utils.data import DataLoader

import train
from tests.conftest import CHECKOUT
from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.features.batches import ImageFeatures
from trainers.blocks.training.kept_stage import KeptStage

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


class Noted:
    """A loader that notes the files of the images it gives."""

    def __init__(self, loader: DataLoader, paths: list[str]) -> None:
        self.loader, self.paths = loader, paths

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[dict]:
        for batch in self.loader:
            self.paths += batch["impath"]
            yield batch


@pytest.fixture(autouse=True)
def every_stage_is_trained(request, monkeypatch) -> None:
    """Runs of one test are compared as they train, not as one has trained, unless it asks for `kept_stages`."""
    if "kept_stages" not in request.fixturenames:
        monkeypatch.setattr(KeptStage, "take", lambda self: None)


@pytest.fixture
def kept_stages() -> None:
    """Runs take stages that others have trained, as they do for users."""


@pytest.fixture
def encoded(monkeypatch) -> list[str]:
    """The files of the images that are encoded from now on, each as often as it is."""
    paths: list[str] = []
    init = ImageFeatures.__init__

    def noted(self, encode, loader, device):
        init(self, encode, Noted(loader, paths), device)

    monkeypatch.setattr(ImageFeatures, "__init__", noted)
    return paths


@pytest.fixture
def ship(pets, tiny_clip, tmp_path):
    """Builds a SHIP trainer, four shots of the tiny OxfordPets, two epochs after three of the PromptVAE."""

    def build(*pairs: object, classes: str = "base", backbone: Path = tiny_clip, folder: str = "run"):
        arguments = [
            *("--root", pets, "--seed", 1, "--trainer", "SHIP", "--output-dir", tmp_path / folder),
            *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml", "--backbone", backbone),
            *("--config-file", CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml", "DATASET.NUM_SHOTS", 4),
            *("DATASET.SUBSAMPLE_CLASSES", classes, "DATALOADER.NUM_WORKERS", 0, "TRAINER.FEATURES.VIEWS", 1),
            *("OPTIM.MAX_EPOCH", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 3, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, *pairs),
        ]
        cfg = train.setup_cfg(train.parse_args([str(word) for word in arguments]))
        set_random_seed(1)
        return build_trainer(cfg)

    return build
