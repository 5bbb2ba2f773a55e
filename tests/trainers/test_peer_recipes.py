"""The recipes of KgCoOp, ProGrad, TaskRes and CLAP's family against their authors' settings, and under SHIP."""

import json

import pytest

import train
from configuration import all_values
from tests.conftest import CHECKOUT
from trainers.blocks.run.identity import to_plain

REFERENCE = json.loads((CHECKOUT / "tests/golden/peer_recipes.json").read_text(encoding="utf-8"))


def resolved(*recipes: str) -> dict:
    paths = [CHECKOUT / f"configs/trainers/{recipe}.yaml" for recipe in recipes]
    words = [word for path in paths for word in ("--config-file", str(path))]
    cfg = train.setup_cfg(train.parse_args(["--trainer", recipes[0].split("/")[0], *words]))
    return {key: to_plain(value) for key, value in all_values(cfg)}


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda one: f"{one['trainer']}-{one['recipe']}")
def test_recipe_has_the_settings_of_the_authors_code(reference):
    found = resolved(f"{reference['trainer']}/{reference['recipe']}")
    assert {key: found[key] for key in reference["values"]} == reference["values"]


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda one: f"{one['trainer']}-{one['recipe']}")
def test_on_top_of_ships_recipe_it_has_them_too(reference):
    """SHIP's has no momentum and no weight decay: the method's own come back with its recipe."""
    found = resolved("SHIP/vit_b16", f"{reference['trainer']}/{reference['recipe']}")
    assert {key: found[key] for key in reference["values"]} == reference["values"]
    assert found["TRAINER.SHIP.BATCH_SIZE"] == 256


def test_every_recipe_of_a_backbone_of_openais_is_held():
    trainers = {one["trainer"] for one in REFERENCE}
    there = {
        (folder.name, path.stem) for folder in (CHECKOUT / "configs/trainers").iterdir() for path in folder.iterdir()
    }
    there = {(trainer, recipe) for trainer, recipe in there if trainer in trainers and recipe != "shapes"}
    assert there == {(one["trainer"], one["recipe"]) for one in REFERENCE}
