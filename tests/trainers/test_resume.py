"""Runs that are killed and started again: both stages, whatever is trained, and states that were damaged."""

import functools

import pytest
import torch

from tests.trainers.outcomes import outcome, unequal
from trainers.blocks.errors import InputError
from trainers.blocks.run import state as run_state
from trainers.blocks.run import states as resume

SMALL = ("TRAINER.SHIP.ENCODER_DIM", 16, "TRAINER.SHIP.GENERATOR_DIM", 16)
WARMUP = ("TRAINER.SHIP.OPTIM.WARMUP_EPOCH", 2, "TRAINER.SHIP.OPTIM.LR_SCHEDULER", "cosine")
FRESH = ("TRAINER.FEATURES.VIEWS", 0)
CASES = {
    "banked views, warm-up": WARMUP,
    "fresh views, milestones": (*FRESH, "OPTIM.LR_SCHEDULER", "multi_step", "OPTIM.STEPSIZE", "(2, 4)"),
    "loader workers": (*FRESH, "DATALOADER.NUM_WORKERS", 1),
    "cache, best on validation": ("TRAINER.SHIP.CLASSIFIER", "TipAdapterF", "TEST.FINAL_MODEL", "best_val"),
    "constraint": ("TRAINER.SHIP.CLASSIFIER", "CLAP", "TRAINER.FEATURES.VIEWS", 2),
    "pool with texts": ("TRAINER.SHIP.CLASSIFIER", "CrossModal", "TRAINER.FEATURES.VIEWS", 2),
    "projected gradients": ("TRAINER.SHIP.CLASSIFIER", "ProGrad"),
    "one stage, class weights": ("TRAINER.NAME", "TaskRes", "TRAINER.TASKRES.PREC", "fp32", "OPTIM.NAME", "adam"),
    "one stage": ("TRAINER.NAME", "CoOp", "TRAINER.COOP.PREC", "fp32", "OPTIM.MAX_EPOCH", 4, "OPTIM.WARMUP_EPOCH", 1),
}


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def ship(ship):
    """As the others have it, with a PromptVAE that takes no time: three steps of it, then twice three."""
    return functools.partial(ship, *SMALL)


@pytest.fixture(autouse=True)
def every_epoch_is_written(monkeypatch):
    """However quickly the next one follows."""
    monkeypatch.setattr(resume, "SHARE", float("inf"))
    monkeypatch.setattr(resume, "APART", 0.0)


def killed(trainer, step: int) -> None:
    """Trains until so many steps have been taken; the next one is not finished."""
    forward_backward, taken = trainer.forward_backward, 0

    def count(batch):
        nonlocal taken
        if taken == step:
            raise Killed
        taken += 1
        return forward_backward(batch)

    trainer.forward_backward = count
    with pytest.raises(Killed):
        trainer.train()


@pytest.mark.parametrize("case", CASES)
def test_killed_run_ends_as_if_nothing_had_happened(case, ship, tmp_path):
    ship(*CASES[case], folder="whole").train()
    for step in (1, 2, 1, 4):  # of each process; what comes after the last whole epoch is done again
        killed(ship(*CASES[case]), step)
        assert (tmp_path / "run/resume").is_dir()
    ship(*CASES[case]).train()
    assert unequal(outcome(tmp_path / "whole"), outcome(tmp_path / "run")) == []
    assert not (tmp_path / "run/resume").exists()


def test_state_holds_tensors_and_plain_values_and_the_last_two_are_kept(ship, tmp_path):
    killed(ship(), 7)
    first, second = sorted((tmp_path / "run/resume").iterdir())
    kept = resume.read(second)
    assert [kept.about[name] for name in ("stage", "epoch", "epochs")] == ["SHIP", 1, 2]
    assert resume.read(first).about["stage"] == "PromptVAE"
    assert {"python", "numpy", "torch", "cuda"} == kept.state["random"].keys()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_state_is_noticed_and_the_one_before_is_used(damage, ship, tmp_path, capsys):
    ship(folder="whole").train()
    killed(ship(), 7)
    newest = max((tmp_path / "run/resume").iterdir())
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"truncated": data[: len(data) // 2], "flipped": data, "empty": b""}[damage])
    capsys.readouterr()
    ship().train()
    out = capsys.readouterr().out
    assert f"{newest} cannot be used" in out
    assert "Going on with PromptVAE after epoch 3 of 3" in out
    assert unequal(outcome(tmp_path / "whole"), outcome(tmp_path / "run")) == []


def test_run_whose_states_are_all_damaged_starts_over(ship, tmp_path, capsys):
    pairs = ("TRAIN.CHECKPOINT_FREQ", 1)
    ship(*pairs, folder="whole").train()
    killed(ship(*pairs), 7)
    for path in (tmp_path / "run/resume").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    killed(ship(*pairs), 0)
    ship(*pairs).train()
    assert "starting over" in capsys.readouterr().out
    assert unequal(outcome(tmp_path / "whole"), outcome(tmp_path / "run")) == []


def test_state_of_another_configuration_is_refused_with_what_differs(ship):
    killed(ship(), 5)
    with pytest.raises(InputError, match=r"OPTIM.LR: 0.002 there, 0.5 here\n") as caught:
        ship("OPTIM.LR", 0.5, "TRAIN.PRINT_FREQ", 1).train()
    assert "PRINT_FREQ" not in str(caught.value)


def test_run_without_states_goes_on_from_dassls_checkpoint(ship, tmp_path, capsys):
    pairs = ("TRAINER.FEATURES.RESUME_EVERY", 0, "TRAIN.CHECKPOINT_FREQ", 1)
    killed(ship(*pairs), 7)
    assert not (tmp_path / "run/resume").exists()
    capsys.readouterr()
    ship(*pairs, "RESUME", tmp_path / "run", folder="other").train()
    out = capsys.readouterr().out
    assert "epoch [1/2]" not in out
    assert "epoch [2/2]" in out


def test_state_of_another_folder_is_gone_on_from(ship, tmp_path):
    ship(folder="whole").train()
    killed(ship(), 7)
    ship("RESUME", tmp_path / "run", folder="moved").train()
    assert unequal(outcome(tmp_path / "whole"), outcome(tmp_path / "moved")) == []


def test_state_is_written_as_often_as_asked_and_at_the_end_of_a_stage(ship, tmp_path, monkeypatch):
    written = []
    write = resume.StateFolder.write
    monkeypatch.setattr(
        resume.StateFolder,
        "write",
        lambda self, kept: (written.append((kept.about["stage"], kept.about["epoch"])), write(self, kept)),
    )
    ship("TRAINER.FEATURES.RESUME_EVERY", 2).train()
    assert written == [("PromptVAE", 0), ("PromptVAE", 2), ("PromptVAE", 3), ("SHIP", 2)]


def test_checkpoint_folder_that_names_no_checkpoint_starts_over(ship, tmp_path, capsys):
    (tmp_path / "run/ship").mkdir(parents=True)
    (tmp_path / "run/ship/model.pth.tar-1").write_bytes(b"left by a run that was killed")
    trainer = ship()
    assert trainer.resume_model_if_exist(str(tmp_path / "run")) == 0
    assert "No checkpoint found, train from scratch" in capsys.readouterr().out


def test_best_model_on_validation_is_not_chosen_on_test_images(ship):
    trainer = ship("TEST.FINAL_MODEL", "best_val")
    trainer.val_loader = None  # as where a dataset has no validation images
    with pytest.raises(InputError, match="best_val needs validation images"):
        trainer.train()


def test_run_that_goes_on_elsewhere_says_so_and_takes_up_the_state(ship, tmp_path, capsys):
    killed(ship(), 3)
    states = resume.StateFolder(tmp_path / "run")
    about, state = states.newest()
    elsewhere = {"device": "NVIDIA H100", "precision": "amp", "tf32": False}
    states.write(resume.SavedState({**about, "numerics": elsewhere}, state))
    ship().train()
    began, now = "began with device NVIDIA H100, precision amp, tf32 False", "device cpu, precision fp32, tf32 False"
    assert f"{began}, and goes on with {now}" in capsys.readouterr().out


def test_run_that_goes_on_where_it_began_says_nothing_of_that(ship, capsys):
    killed(ship(), 3)
    ship().train()
    assert "began with" not in capsys.readouterr().out


def test_state_of_a_run_without_loss_scaling_is_taken_up_with_it():
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    parts = layer, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1)
    stored = run_state.collect(*parts, torch.amp.GradScaler("cpu", enabled=False))
    run_state.restore(stored, *parts, torch.amp.GradScaler("cpu", enabled=True))
