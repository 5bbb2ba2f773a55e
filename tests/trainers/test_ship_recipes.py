"""SHIP's recipes, and Tip-Adapter-F's, against the settings of the authors' code; how many steps they take."""

import json
from pathlib import Path

import pytest
import torch
from dassl.engine import build_trainer
from yacs.config import CfgNode

import train
from configuration import all_values
from tests.conftest import CHECKOUT
from trainers.blocks.features.batches import FeatureBank
from trainers.blocks.run.identity import to_plain

REFERENCE = json.loads((CHECKOUT / "tests/golden/ship_recipes.json").read_text(encoding="utf-8"))


def resolved(trainer: str, recipe: str, *more: object) -> CfgNode:
    path = CHECKOUT / f"configs/trainers/{trainer}/{recipe}.yaml"
    words = ("--trainer", trainer, "--config-file", path, *more)
    return train.setup_cfg(train.parse_args([str(word) for word in words]))


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda one: f"{one['trainer']}-{one['recipe']}")
def test_recipe_has_the_settings_of_the_authors_code(reference):
    cfg = resolved(reference["trainer"], reference["recipe"])
    found = {key: to_plain(value) for key, value in all_values(cfg)}
    assert {key: found[key] for key in reference["values"]} == reference["values"]


@pytest.mark.parametrize("name", ["shapes", "vit_b16_cocoop", "vit_b16_cocoop_imagenet", "shapes_tip_adapter_f"])
def test_other_recipes_keep_the_last_batch_and_round_features_too(name):
    options = resolved("SHIP", name).TRAINER.SHIP
    assert (options.DROP_LAST, options.ROUND_FEATURES) == (False, True)


def test_shapes_is_trained_without_momentum_and_weight_decay():
    optim = resolved("SHIP", "shapes").OPTIM
    assert (optim.NAME, optim.MOMENTUM, optim.WEIGHT_DECAY) == ("sgd", 0.0, 0.0)


@pytest.fixture
def pets_of(pets):
    """A DATA folder whose split file lists so many base classes and as many new ones, 16 training images each."""

    def make(base: int) -> Path:
        image = next((pets / "oxford_pets/images").iterdir()).name
        names = [f"pet {number}" for number in range(2 * base)]
        rows = [[image, label, name] for label, name in enumerate(names)]
        split = {"train": rows * 16, "val": rows, "test": rows}
        (pets / "oxford_pets/split_zhou_OxfordPets.json").write_text(json.dumps(split))
        return pets

    return make


@pytest.mark.parametrize(
    ("recipe", "classes", "steps"),
    [("vit_b16", 19, 400), ("vit_b16_imagenet", 500, 640), ("vit_b16_clip_adapter", 19, 400)],
)
@pytest.mark.parametrize("views", [0, 1])
def test_stage_two_takes_the_steps_of_the_authors_code(recipe, classes, steps, views, pets_of, tiny_clip, tmp_path):
    """304 images in two batches for 200 epochs; 8,000 images in 32 batches for 20."""
    where = ("--root", pets_of(classes), "--backbone", tiny_clip, "--output-dir", tmp_path / "run", "--seed", 1)
    dataset = ("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml")
    pairs = ("DATASET.NUM_SHOTS", 16, "DATASET.SUBSAMPLE_CLASSES", "base", "DATALOADER.NUM_WORKERS", 0)
    trainer = build_trainer(resolved("SHIP", recipe, *where, *dataset, *pairs, "TRAINER.FEATURES.VIEWS", views))
    assert len(trainer.dm.dataset.train_x) == 16 * classes
    trainer._bank = FeatureBank(torch.zeros(1, 16 * classes, 64), torch.zeros(16 * classes, dtype=torch.long))
    trainer.choose_classes()
    assert len(trainer.main_stage().batches) * trainer.main_stage().epochs == steps
    assert len(trainer.image_loader) * trainer.cfg.OPTIM.MAX_EPOCH == steps
    if trainer.schedule_per_step:
        assert trainer.scheduler.T_max == steps
