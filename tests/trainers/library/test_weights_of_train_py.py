"""Fitting by the library gives, bit for bit, the weights that train.py gives for the same seed, features and keys."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datasets.label_only import read_as  # noqa: F401 - the loaders are registered
from tests.datasets.trees import load
from trainers.library import Classifier, Ship, Synthesized

STAGE_ONE = {"encoder_dim": 8, "generator_dim": 8, "batch_size": 4, "epochs": 2}
SHIP_KEYS = ("ENCODER_DIM", 8, "GENERATOR_DIM", 8, "BATCH_SIZE", 4, "OPTIM.MAX_EPOCH", 2)
BATCH = ("DATALOADER.TRAIN_X.BATCH_SIZE", 4)
SHORT = ("OPTIM.MAX_EPOCH", 2, "OPTIM.LR", 0.01, *BATCH, "TRAINER.FEATURES.AUGMENT", False)
TRAINED = {"epochs": 2, "lr": 0.01, "batch_size": 4}  # the same in the library's words
PETS = "a photo of a {}, a type of pet."  # the dataset's template
TUNED = ("tip_adapter.alpha", "tip_adapter.beta")  # chosen on validation images, of which the library has none
TIP = {"optimizer": "adamw", "weight_decay": 0.01, "template": PETS}


def ship_keys() -> list[object]:
    return [f"TRAINER.SHIP.{part}" if isinstance(part, str) else part for part in SHIP_KEYS]


def stored(folder: Path, part: str) -> dict[str, Tensor]:
    return torch.load(folder / f"{part}/model.pth.tar-2", weights_only=False)["state_dict"]


def tensors(state: Mapping[str, object]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def assert_equal(made: Mapping[str, object], run: Mapping[str, object]) -> None:
    made, run = tensors(made), tensors(run)
    assert made.keys() == run.keys()
    assert made
    for name, value in made.items():
        assert torch.equal(value, run[name]), name


@pytest.fixture
def images(clip, pets) -> tuple[Tensor, list[str]]:
    """Features of the run's training images, and their class names."""
    items = load("OxfordPets", pets, shots=4, subset="base").train_x
    return clip.encode_images([item.impath for item in items], batch_size=100), [item.classname for item in items]


@pytest.fixture
def new_names(pets) -> list[str]:
    dataset = load("OxfordPets", pets, shots=4, subset="new")
    return list(dataset.classnames)


def test_ships_stage_one(ship, clip):
    """On the features of the run's own training images, with its own labels."""
    run = ship(*ship_keys(), "TRAINER.FEATURES.AUGMENT", False, "TEST.NO_TEST", True, "OPTIM.LR", 0.1, classes="base")
    run.train()
    items, names = run.dm.dataset.train_x, list(run.known_classes)
    encoded = clip.encode_images([item.impath for item in items], batch_size=run.cfg.DATALOADER.TEST.BATCH_SIZE)
    assert torch.equal(encoded, run.bank().features[0])
    made = Ship(clip, seed=1, **STAGE_ONE).fit(encoded, [item.label for item in items], names)
    assert_equal(made.vae_.state_dict(), run.vae.state_dict())


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("CoOp", {"options": {"n_ctx": 4}}),
        ("CLIPAdapter", {"template": PETS}),
        ("TaskRes", {"template": PETS, "optimizer": "adam"}),
    ],
)
def test_a_method(method, settings, train_py, clip, images):
    own = ("TRAINER.COOP.N_CTX", 4) if method == "CoOp" else ()
    ended = train_py(method, "run", *SHORT, *own)
    assert ended.status == 0, ended.stderr
    made = Classifier(clip, method, warmup_epochs=1, **TRAINED, **settings).fit(*images).method_
    assert_equal(made.learned.state_dict(), stored(ended.folder, made.checkpoint_name))


@pytest.mark.parametrize(
    ("recipe", "method", "settings", "stage_two"),
    [
        ("", "CoOp", {"momentum": 0.0, "weight_decay": 0.0, "options": {"ctx_init": "a photo of a"}}, {}),
        ("_clip_adapter", "CLIPAdapter", {"warmup_epochs": 1, "template": PETS}, {"schedule_per_step": False}),
        ("_tip_adapter_f", "TipAdapterF", TIP, {"adam_eps": 1e-4}),
    ],
)
def test_ship_on_a_method(recipe, method, settings, stage_two, train_py, clip, images, new_names):
    ended = train_py("SHIP", "run", *SHORT, *ship_keys(), recipe=f"vit_b16{recipe}")
    assert ended.status == 0, ended.stderr
    base, own = Classifier(clip, method, **settings, **TRAINED), Ship(clip, **STAGE_ONE, **stage_two)
    made = Synthesized(base, own, new_names).fit(*images)
    run = stored(ended.folder, "ship")
    parts = {"prompt_vae": made.ship_.vae_, made.method_.checkpoint_name: made.method_.learned}
    both = (torch.nn.ModuleDict(parts).state_dict(), run)
    assert_equal(*({name: value for name, value in state.items() if name not in TUNED} for state in both))
