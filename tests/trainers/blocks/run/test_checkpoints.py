"""Checkpoints are loaded where they belong; those of another method, backbone or size are refused by what differs."""

from pathlib import Path

import pytest
import torch
from dassl.engine import build_trainer
from dassl.utils import load_checkpoint

import train
from tests.conftest import CHECKOUT
from trainers.blocks.errors import InputError
from trainers.blocks.run import checkpoints
from trainers.blocks.run.checkpoints import checkpoint_path, load_state

RECIPES = {
    "CoOp": "CoOp/vit_b16_ctxv1",
    "CoCoOp": "CoCoOp/vit_b16_c4_ep10_batch1_ctxv1",
    "CLIPAdapter": "CLIPAdapter/vit_b16",
    "TipAdapter": "TipAdapter/vit_b16",
    "TipAdapterF": "TipAdapterF/vit_b16",
    "SHIP": "SHIP/vit_b16",
}
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8)


@pytest.fixture
def make(pets, tiny_clip):
    """Builds a trainer on the base classes of the tiny OxfordPets; nothing is trained."""

    def build(method: str, *pairs: object, backbone: Path = tiny_clip, classes: str = "base"):
        arguments = [
            *("--root", pets, "--seed", 1, "--trainer", method, "--backbone", backbone),
            *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
            *("--config-file", CHECKOUT / f"configs/trainers/{RECIPES[method]}.yaml", "DATALOADER.NUM_WORKERS", 0),
            *("DATASET.SUBSAMPLE_CLASSES", classes, *SMALL, *pairs),
        ]
        return build_trainer(train.setup_cfg(train.parse_args([str(word) for word in arguments])))

    return build


@pytest.fixture
def stored(make, tmp_path):
    """The folder of a run whose checkpoint is what a trainer starts with."""

    def store(method: str, *pairs: object) -> Path:
        trainer = make(method, *pairs)
        if trainer.classifier.remembers:
            trainer.classifier.remember(torch.zeros(3, 64), torch.arange(3))
        trainer.tune = lambda: None
        trainer.save_model(0, str(tmp_path / "made"))
        return tmp_path / "made"

    return store


@pytest.mark.parametrize("method", RECIPES)
def test_checkpoint_loads_where_it_was_made(method, stored, make):
    make(method).load_model(str(stored(method)))


@pytest.mark.parametrize(
    ("made", "loaded", "difference"),
    [
        (("TipAdapterF",), ("TipAdapter",), "made by TipAdapterF, and this run is of TipAdapter"),
        (("CoCoOp",), ("CoOp",), "made by CoCoOp, and this run is of CoOp"),
        (("CoOp",), ("CoCoOp",), "made by CoOp, and this run is of CoCoOp"),
        (
            ("SHIP",),
            ("SHIP", "TRAINER.SHIP.CLASSIFIER", "CLIPAdapter"),
            "made by SHIP on CoOp, and this run is of SHIP on CLIPAdapter",
        ),
        (
            ("CoOp", "TRAINER.COOP.CTX_INIT", "", "TRAINER.COOP.N_CTX", 3),
            ("CoOp", "TRAINER.COOP.CTX_INIT", "", "TRAINER.COOP.N_CTX", 5),
            r"context is \(3, 64\), this run's is \(5, 64\).*N_CTX",
        ),
        (
            ("CoOp",),
            ("CoOp", "TRAINER.COOP.CLASS_TOKEN_POSITION", "front"),
            "position 'end', this run's in 'front'",
        ),
        (
            ("CLIPAdapter", "TRAINER.CLIPADAPTER.REDUCTION", 4),
            ("CLIPAdapter", "TRAINER.CLIPADAPTER.REDUCTION", 8),
            r"0\.weight is \(16, 64\) there, and \(8, 64\) in this run",
        ),
        (
            ("SHIP", "TRAINER.SHIP.N_CTX", 2),
            ("SHIP", "TRAINER.SHIP.N_CTX", 4),
            r"prompt_vae\.ctx is \(2, 64\) there, and \(4, 64\)",
        ),
    ],
)
def test_what_differs_is_named(made, loaded, difference, stored, make):
    folder = stored(*made)
    with pytest.raises(InputError, match=rf"(?s)model.pth.tar-1 does not fit this run.*{difference}"):
        make(*loaded).load_model(str(folder))


@pytest.mark.parametrize("method", ["CoOp", "CLIPAdapter", "SHIP"])
def test_backbone_of_the_same_shape_is_told_apart(method, stored, make, tiny_clip, tmp_path):
    state = torch.load(tiny_clip)
    state["text_projection"] += 1
    torch.save(state, tmp_path / "other_clip.pt")
    with pytest.raises(InputError, match=r"made with the backbone .*tiny_clip.*this run has .*other_clip"):
        make(method, backbone=tmp_path / "other_clip.pt").load_model(str(stored(method)))


def test_same_backbone_under_another_name_is_taken(stored, make, tiny_clip, tmp_path):
    (tmp_path / "moved.pt").write_bytes(tiny_clip.read_bytes())
    make("CoOp", backbone=tmp_path / "moved.pt").load_model(str(stored("CoOp")))


@pytest.mark.parametrize(
    ("method", "pairs"), [("TipAdapterF", ()), ("CoOp", ("TRAINER.COOP.CSC", True, "TRAINER.COOP.CTX_INIT", ""))]
)
def test_state_that_belongs_to_classes_is_refused_without_the_classes_asked_for(method, pairs, stored, make):
    trainer = make(method, *pairs, classes="new")
    with pytest.raises(InputError, match="3 classes: bombay, beagle, boxer"):
        trainer.load_model(str(stored(method, *pairs)))
        trainer.test()


def test_weights_to_start_from_are_checked_too(stored, make):
    weights = checkpoint_path(stored("CoCoOp") / "prompt_learner", None)
    with pytest.raises(InputError, match="by another method: it also has meta_net"):
        make("CoOp", "MODEL.INIT_WEIGHTS", weights)


def test_resumed_state_is_checked_too(stored, make):
    folder = stored("TipAdapterF")
    with pytest.raises(InputError, match="made by TipAdapterF"):
        make("TipAdapter").resume_model_if_exist(str(folder))


def test_weights_that_are_not_finite_are_refused(stored, make):
    folder = stored("CoOp")
    path = folder / "prompt_learner/model.pth.tar-1"
    checkpoint = load_checkpoint(str(path))
    checkpoint["state_dict"]["ctx"][0] = torch.nan
    torch.save(checkpoint, path)
    with pytest.raises(InputError, match="NaN or infinite: ctx"):
        make("CoOp").load_model(str(folder))


@pytest.mark.parametrize("message", ["CUDA error: device-side assert triggered", "CUBLAS_STATUS_NOT_INITIALIZED"])
@pytest.mark.parametrize("name", ["load_checkpoint", "fill"])
def test_gpu_that_fails_says_nothing_of_the_file(name, message, monkeypatch, tmp_path):
    def fail(*given, **options):
        raise RuntimeError(message)

    module = torch.nn.Linear(2, 2)
    torch.save({"state_dict": module.state_dict(), "epoch": 1}, tmp_path / "model.pth.tar-1")
    if name == "fill":
        monkeypatch.setattr(module, "load_state_dict", fail)
    else:
        monkeypatch.setattr(checkpoints, name, fail)
    with pytest.raises(RuntimeError, match=message):
        load_state(module, tmp_path / "model.pth.tar-1", {})
