"""A whole run with every fast path on agrees with one on the plain path."""

import json
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from bench.plain import make_plain, recorded_losses, reencode
from torch import nn

from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.training import feature_trainer

SHORT = ("TRAINER.FEATURES.VIEWS", 2, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 6, "OPTIM.MAX_EPOCH", 4)
FAST = ("TRAINER.TEXT_CHUNK", 3, "TRAINER.SHIP.AHEAD", 1000)
PLAIN = ("TRAINER.TEXT_CHUNK", 0, "TRAINER.SHIP.AHEAD", 0, "TRAINER.FEATURES.CACHE", False)


def exact(load_backbone: Callable[..., Backbone], plain: bool) -> Callable[..., Backbone]:
    """Loads backbones whose towers compute in fp64, so that two ways to the same numbers stay together.

    In fp32 they differ in the last bits, and training can make much of little. LayerNorm is CLIP's own, in fp32.
    """

    def load(*args) -> Backbone:
        backbone = load_backbone(*args).double()
        for part in backbone.modules():
            if isinstance(part, nn.LayerNorm):
                part.float()
        if plain:
            make_plain(backbone)
        return backbone

    return load


@pytest.mark.parametrize("method", ["CoOp", "CoCoOp"])
def test_losses_and_predictions_agree(method, ship, monkeypatch):
    def run(name: str, plain: bool) -> tuple[list[float], torch.Tensor, torch.Tensor]:
        monkeypatch.setattr(feature_trainer, "load_backbone", exact(load_backbone, plain))
        pairs = (*SHORT, *(PLAIN if plain else FAST), "TRAINER.SHIP.CLASSIFIER", method)
        trainer = ship(*pairs, folder=f"{name}_{method}")
        if plain:
            reencode(trainer)
        losses = recorded_losses(trainer)
        trainer.train()
        return losses, trainer.classifier.predict(trainer.evaluation_features("test")[0])

    losses, logits = run("fast", plain=False)
    cached_losses, _ = run("cached", plain=False)
    plain_losses, plain_logits = run("plain", plain=True)
    assert losses == cached_losses
    assert len(losses) > 10
    assert losses == pytest.approx(plain_losses, abs=1e-5)
    assert torch.equal(logits.argmax(dim=-1), plain_logits.argmax(dim=-1))


def test_second_run_encodes_no_image_and_finds_the_same(ship, encoded, own_cache, tmp_path):
    def run(name: str, *pairs: object) -> tuple[int, dict]:
        encoded.clear()
        ship("TRAINER.FEATURES.VIEWS", 2, *pairs, folder=name).train()
        return len(encoded), json.loads((tmp_path / name / "results.json").read_text())["metrics"]

    count, metrics = run("first")
    assert count == 2 * 12 + 12  # two views of the training images; test images
    assert sorted(path.name.split("-")[0] for path in own_cache.glob("OxfordPets/*.npz")) == ["test", "views"]
    assert run("second") == (0, metrics)
    assert run("off", "TRAINER.FEATURES.CACHE", False) == (count, metrics)
    assert run("other_seed", "SEED", 2)[0] > 0


def test_each_test_image_is_encoded_once_for_all_protocols_and_methods(train_py, encoded, pets):
    """base2new, gzsl and fewshot of two methods whose recipes augment training images in other ways."""
    short = ("OPTIM.MAX_EPOCH", 1, "TEST.FINAL_MODEL", "last_step")
    augmented = {"CoOp": (), "TipAdapterF": ("INPUT.RRCROP_SCALE", "(0.5, 1.0)", "TRAINER.FEATURES.VIEWS", 2)}
    for method, pairs in augmented.items():
        base = train_py(method, f"{method}/base", *short, *pairs)
        whole = train_py(method, f"{method}/all", *short, *pairs, classes="all")
        assert (base.status, whole.status) == (0, 0)
        if method == "CoOp":  # Tip-Adapter knows nothing of new classes
            for classes in ("new", "all"):
                flags = ("--eval-only", "--model-dir", base.folder, "--load-epoch", 1)
                done = train_py(method, f"{method}/{classes}_of_base", *short, classes=classes, flags=flags)
                assert done.status == 0, done.stderr
    tested = json.loads((pets / "oxford_pets/split_zhou_OxfordPets.json").read_text())["test"]
    images = [str(pets / "oxford_pets/images" / image) for image, _, _ in tested]
    assert Counter(path for path in encoded if path in images) == Counter(images)
