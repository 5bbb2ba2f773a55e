"""Memory that cannot be had ends a run in one line, and in nothing half-written. Nothing is really allocated."""

import pytest
import torch
from PIL import Image

from trainers.blocks.clip import files as clip_files
from trainers.blocks.clip import openai
from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.engine.images import read_image
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.run import checkpoints, states
from trainers.blocks.run.checkpoints import load_state
from trainers.blocks.run.memory import is_out_of_memory
from trainers.blocks.run.states import SavedState, StateFolder
from trainers.blocks.training.feature_trainer import FeatureTrainer
from trainers.ship import SHIP

OUT = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8192000000000 bytes."
SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1, "DATALOADER.TRAIN_X.BATCH_SIZE", 4)


def out_of_memory(*args: object, **kwargs: object) -> None:
    raise RuntimeError(OUT)


def out_on_gpu(*args: object, **kwargs: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.mark.parametrize(
    ("trainer", "owner", "part", "said"),
    [
        (
            "SHIP",
            "trainers.blocks.synthesis.kinds",
            "PromptVAE",
            ("the model of SHIP on CoOp", "TRAINER.SHIP.LATENT_DIM (now 0)"),
        ),
        ("CoOp", FeatureTrainer, "build_method", ("the model of CoOp", "TRAINER.COOP.N_CTX (now 16)")),
        ("SHIP", SHIP, "vae_loss", ("a step of PromptVAE", "TRAINER.SHIP.BATCH_SIZE (now 256)")),
        ("CoOp", CoOp, "loss", ("a step of CoOp", "DATALOADER.TRAIN_X.BATCH_SIZE (now 4)", "TRAINER.TEXT_CHUNK")),
        ("CoOp", CoOp, "predict", ("the test images", "TRAINER.TEXT_CHUNK", "DATALOADER.TEST.BATCH_SIZE")),
        (
            "TipAdapter",
            FeatureTrainer,
            "encode_views",
            ("the features of the training images", "DATASET.NUM_SHOTS (now 4)", "DATALOADER.TEST.BATCH_SIZE"),
        ),
        ("CoOp", clip_files, "read_state", ("the backbone", "MODEL.BACKBONE.NAME")),
        ("CoOp", "train", "build_trainer", ("this run",)),
    ],
)
@pytest.mark.parametrize("fail", [out_of_memory, out_on_gpu])
def test_run_out_of_memory_ends_in_one_line_with_what_decides(
    trainer, owner, part, said, fail, train_py, monkeypatch
):
    monkeypatch.setattr(f"{owner}.{part}", fail) if isinstance(owner, str) else monkeypatch.setattr(owner, part, fail)
    run = train_py(trainer, "run", *SHORT)
    (line,) = run.stderr.strip().splitlines()
    assert (run.status, run.results) == (2, None)
    assert line.startswith("error: There is not enough memory for ")
    for words in (*said, "which asked for 7.451 TiB" if fail is out_of_memory else "which asked for 20.00 MiB"):
        assert words in line
    assert not list(run.folder.rglob("*.tar*")) or "the test images" in line


def test_size_that_no_memory_has_ends_in_one_line(train_py):
    """The allocator refuses it at once."""
    run = train_py("SHIP", "run", *SHORT, "TRAINER.SHIP.LATENT_DIM", 10**15)
    assert run.status == 2
    assert "TRAINER.SHIP.LATENT_DIM (now 1000000000000000)" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_checkpoint_that_memory_is_out_for_is_not_called_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "load_checkpoint", out_of_memory)
    with pytest.raises(RuntimeError, match="can't allocate"):
        load_state(torch.nn.Linear(1, 1), tmp_path, {})


def test_state_that_memory_is_out_for_is_not_called_damaged(tmp_path, monkeypatch):
    folder = StateFolder(tmp_path)
    folder.write(SavedState({"stage": "CoOp"}, {"a": torch.zeros(1)}))
    before = folder.files()
    monkeypatch.setattr(states.torch, "load", out_of_memory)
    with pytest.raises(RuntimeError, match="can't allocate"):
        folder.newest()
    assert folder.files() == before


def test_checkpoint_that_cannot_be_made_for_want_of_memory_is_not_called_a_full_disk(train_py, monkeypatch):
    monkeypatch.setattr("dassl.engine.TrainerX.save_model", out_of_memory)
    run = train_py("CoOp", "run", *SHORT)
    assert run.status == 2
    assert "not enough memory" in run.stderr and "Cannot write" not in run.stderr


def test_backbone_that_memory_is_out_for_is_not_called_damaged(tiny_clip, monkeypatch):
    monkeypatch.setattr(openai, "build_model", out_of_memory)
    with pytest.raises(RuntimeError, match="can't allocate"):
        load_backbone(str(tiny_clip), "fp32", "cpu")


def test_image_that_memory_is_out_for_is_not_called_broken(tmp_path, monkeypatch):
    def decode(*args: object) -> None:
        raise MemoryError

    path = tmp_path / "image.png"
    Image.new("RGB", (4, 4)).save(path)
    monkeypatch.setattr(Image.Image, "convert", decode)
    with pytest.raises(MemoryError) as error:
        read_image(path)
    assert is_out_of_memory(error.value)
