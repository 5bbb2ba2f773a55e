"""Checkpoints to be evaluated: how the one of a run of CoOp is spoilt, words of the message."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from dassl.engine import build_trainer
from dassl.utils import load_checkpoint

import train
from tests.bad_input.conftest import World

READ = "cannot be read as a checkpoint"


PAIRS = ("TRAINER.COOP.CTX_INIT", "", "TRAINER.COOP.N_CTX", 2, "DATASET.SUBSAMPLE_CLASSES", "base")
PAIRS += ("TRAINER.COOP.CSC", True)


@pytest.fixture(scope="session")
def untrained(pristine, tiny_clip, tmp_path_factory) -> Path:
    """The folder of a run of CoOp, with a class-specific context for three classes, in which nothing was trained."""
    folder = tmp_path_factory.mktemp("untrained")
    command = World(pristine, tiny_clip, str).command(*PAIRS)
    build_trainer(train.setup_cfg(train.parse_args(command))).save_model(0, str(folder))
    return folder


@pytest.fixture
def checkpoint(world, untrained) -> Path:
    """The checkpoint that is to be evaluated."""
    world.pairs += PAIRS
    made = world.folder / "made"
    shutil.copytree(untrained, made)
    world.only_evaluate(made)
    return made / "prompt_learner/model.pth.tar-1"


FILES = [
    ("empty", lambda content: b"", READ),
    ("text", lambda content: b"plain text", READ),
    ("zeros", lambda content: bytes(1000), READ),
    ("cut early", lambda content: content[:100], READ),
    ("cut late", lambda content: content[:-100], READ),
    ("pickled list", lambda content: pickle.dumps([1]), READ),
    ("other zip", lambda content: b"PK\x05\x06" + bytes(18), READ),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_damaged_file_is_refused(change, words, world, checkpoint):
    checkpoint.write_bytes(change(checkpoint.read_bytes()))
    world.refused(words)


def state_with(**changes: object) -> Callable[[dict], dict]:
    return lambda stored: {**stored, "state_dict": {**stored["state_dict"], **changes}}


def without(name: str) -> Callable[[dict], dict]:
    def change(stored: dict) -> dict:
        del stored["state_dict"][name]
        return stored

    return change


CONTENTS = [
    ("list", lambda stored: [stored], READ),
    ("number", lambda stored: 3, READ),
    ("nothing", lambda stored: {}, READ),
    ("state is a list", lambda stored: {**stored, "state_dict": []}, READ),
    ("state is a tensor", lambda stored: {**stored, "state_dict": torch.zeros(1)}, READ),
    ("state is empty", lambda stored: {**stored, "state_dict": {}}, "another method: it has no ctx"),
    ("no epoch", lambda stored: {"state_dict": stored["state_dict"]}, READ),
    ("epoch is text", lambda stored: {**stored, "epoch": "last"}, READ),
    ("no context", without("ctx"), "another method: it has no ctx"),
    ("meta_net", state_with(**{"meta_net.linear1.weight": torch.zeros(1)}), "it also has meta_net.linear1.weight"),
    ("longer context", state_with(ctx=torch.zeros(3, 4, 64)), "N_CTX, CTX_INIT, CSC or the backbone differ"),
    ("wider context", state_with(ctx=torch.zeros(3, 2, 512)), "N_CTX, CTX_INIT, CSC or the backbone differ"),
    ("generic context", state_with(ctx=torch.zeros(2, 64)), "N_CTX, CTX_INIT, CSC or the backbone differ"),
    ("context is no tensor", state_with(ctx=[1.0]), READ),
    ("context is a number", state_with(ctx=torch.tensor(1.0)), "does not fit this run"),
    ("NaN", state_with(ctx=torch.full((3, 2, 64), torch.nan)), "NaN or infinite: ctx"),
    ("infinity", state_with(ctx=torch.full((3, 2, 64), torch.inf)), "NaN or infinite: ctx"),
    ("other method", state_with(made_by={"method": "CoCoOp"}), "made by CoCoOp, and this run is of CoOp"),
    ("other backbone", state_with(made_by={"backbone": "0", "backbone_name": "X"}), "the backbone X (weights 0)"),
    ("maker is a list", state_with(made_by=[1]), "does not fit this run"),
    ("other classes", state_with(_extra_state={"classnames": ["a", "b", "c"]}), "knows nothing of 3 classes"),
    ("fewer classes than rows", state_with(_extra_state={"classnames": ["a"]}), "knows nothing of 3 classes"),
    ("no classes", state_with(_extra_state={}), READ),
    ("classes are a number", state_with(_extra_state=3), READ),
    (
        "other position",
        state_with(_extra_state={"classnames": [], "position": "front"}),
        "CLASS_TOKEN_POSITION differs",
    ),
    (
        "upstream's, of other classes",
        lambda stored: {**stored, "state_dict": {"ctx": torch.zeros(7, 2, 64)}},
        "N_CTX, CTX_INIT, CSC or the backbone differ",
    ),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in CONTENTS], ids=[case[0] for case in CONTENTS])
def test_checkpoint_that_does_not_fit_is_refused(change, words, world, checkpoint):
    torch.save(change(load_checkpoint(str(checkpoint))), checkpoint)
    world.refused(words)


@pytest.mark.parametrize("newest", [b"model.pth.tar-9", b"", b"\xff\xfe\x00", b"../../data", b"a\x00b"])
def test_note_of_the_newest_checkpoint_that_is_wrong_is_refused(newest, world, checkpoint):
    (checkpoint.parent / "checkpoint").write_bytes(newest)
    world.refused("the folder has model.pth.tar-1")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--model-dir", "nowhere"), "there is no checkpoint in nowhere"),
        (("--load-epoch", 7), "the folder has model.pth.tar-1"),
        (("--load-epoch", -1), "the folder has model.pth.tar-1"),
    ],
)
def test_missing_checkpoint_is_named_with_what_is_there(flags, words, world, checkpoint):
    world.flags += flags
    world.refused(words)


def test_other_classes_are_refused(world, checkpoint):
    world.refused("knows nothing of 3 classes: bombay, beagle, boxer", "DATASET.SUBSAMPLE_CLASSES", "new")


def test_weights_to_start_from_that_are_truncated_are_refused(world, checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    world.flags = ()
    world.refused(READ, "MODEL.INIT_WEIGHTS", checkpoint)
