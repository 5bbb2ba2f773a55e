"""Runs that are asked to stop, diverge, or find the disk full: what is said, what is left, and going on from it."""

import errno
import functools
import os
import signal
import subprocess
import sys

import pytest
import torch

import compat
import train
from tests.conftest import CHECKOUT
from tests.trainers.outcomes import outcome, unequal
from trainers.blocks.errors import InputError
from trainers.blocks.run import states as resume
from trainers.blocks.run.interruption import Stopped, StopSignals
from trainers.blocks.training.evaluating import EvaluatingTrainer

SMALL = ("TRAINER.SHIP.ENCODER_DIM", 16, "TRAINER.SHIP.GENERATOR_DIM", 16)


pytestmark = pytest.mark.usefixtures("foreground_signals")


@pytest.fixture
def ship(ship):
    return functools.partial(ship, *SMALL)


def at_step(trainer, step: int, action) -> None:
    """Has the trainer do something in the middle of its n-th step, counted from 0."""
    forward_backward, taken = trainer.forward_backward, 0

    def count(batch):
        nonlocal taken
        if taken == step:
            action()
        taken += 1
        return forward_backward(batch)

    trainer.forward_backward = count


@pytest.mark.parametrize(
    ("number", "status", "step", "loading"),
    [
        (signal.SIGTERM, 143, 7, ()),
        (signal.SIGINT, 130, 1, ("DATALOADER.NUM_WORKERS", 1, "TRAINER.FEATURES.VIEWS", 0)),
    ],
)
def test_asked_to_stop_it_finishes_the_step_and_leaves_the_newest_epoch(
    number, status, step, loading, ship, tmp_path, capsys
):
    every = ("TRAINER.FEATURES.RESUME_EVERY", 100, *loading)
    ship(*every, folder="whole").train()
    before = signal.getsignal(number)
    trainer = ship(*every)
    at_step(trainer, step, lambda: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as stopped:
        trainer.train()
    assert stopped.value.code == status
    assert signal.getsignal(number) is before
    last = capsys.readouterr().out.splitlines()[-1]
    where = "PromptVAE" if step == 1 else "SHIP"
    assert last.startswith(f"Stopped by {signal.Signals(number).name}; the same command goes on after epoch 1/")
    assert last.endswith(where)
    newest = max((tmp_path / "run/resume").iterdir())
    assert resume.read(newest).about["epoch"] == 1
    ship(*every).train()
    assert unequal(outcome(tmp_path / "whole"), outcome(tmp_path / "run")) == []


def test_second_signal_does_not_wait():
    with StopSignals() as stop, pytest.raises(Stopped), stop.postponed():
        os.kill(os.getpid(), signal.SIGTERM)
        reached = True
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("went on")
    assert reached


def test_signal_outside_an_epoch_stops_at_once():
    with StopSignals(), pytest.raises(Stopped) as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("went on")
    assert stopped.value.code == 130


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_evaluation_that_is_asked_to_stop_ends_with_a_line(number, status, train_py, monkeypatch):
    monkeypatch.setattr(EvaluatingTrainer, "test", lambda trainer: os.kill(os.getpid(), number))
    run = train_py("ZeroshotCLIP", "run", flags=("--eval-only",))
    assert run.status == status
    line = f"Stopped by {signal.Signals(number).name}; the same command starts it again"
    assert run.stdout.splitlines()[-1] == line
    assert line in (run.folder / "log.txt").read_text(encoding="utf-8")
    assert run.stderr == ""


def test_interrupt_while_pytorch_is_imported_ends_it_without_a_traceback(tmp_path):
    (tmp_path / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, CHECKOUT / "train.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_infinite_loss_names_stage_epoch_and_step_and_leaves_the_state(ship, tmp_path):
    trainer = ship()
    loss = trainer.classifier.loss
    at_step(trainer, 3 + 4, lambda: setattr(trainer.stage, "loss", lambda *batch: (loss(*batch)[0] * torch.inf, {})))
    with pytest.raises(FloatingPointError, match=r"loss is inf in SHIP, epoch 2/2, step 2/3\.") as caught:
        trainer.train()
    path = tmp_path / "run/failed/state.pt"
    assert str(path) in str(caught.value)
    failed = torch.load(path, weights_only=True)
    assert [failed["about"][name] for name in ("stage", "epoch", "step")] == ["SHIP", 1, 2]
    assert {"learned", "optimizer", "features", "labels"} <= failed["state"].keys()


def test_infinite_loss_is_exit_status_3(monkeypatch, capsys):
    def diverge(args: object) -> None:
        raise FloatingPointError("The loss is nan")

    monkeypatch.setattr(train, "run", diverge)
    with pytest.raises(SystemExit) as ended:
        train.main([])
    assert ended.value.code == 3
    assert capsys.readouterr().err == "error: The loss is nan\n"


@pytest.fixture
def full_disk(monkeypatch):
    """From now on no file whose path has these letters can be written; half of it is there when that shows."""
    fsync = os.fsync

    def fill(part: str) -> None:
        def fail(handle: int) -> None:
            path = os.readlink(f"/proc/self/fd/{handle}")
            if part in path:
                os.truncate(path, os.path.getsize(path) // 2)
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(handle)

        monkeypatch.setattr(os, "fsync", fail)

    return fill


def contents(folder) -> dict:
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "tensorboard" not in str(path)
    }


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="finds the path of a file by /proc")
@pytest.mark.parametrize("part", ["run/resume/", "run/ship/", "run/.results.json"])
def test_full_disk_is_named_and_leaves_what_was_there(part, ship, full_disk, tmp_path):
    if part == "run/ship/" and compat.ensure().name == "dassl":
        pytest.skip("Dassl writes a checkpoint in place, by other means than those that are made to fail here")
    ship(folder="whole").train()
    at_once = ship()
    at_step(at_once, 7, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        at_once.train()
    before = contents(tmp_path / "run")
    with pytest.MonkeyPatch.context():
        full_disk(part)
        with pytest.raises(InputError, match="No space left on device") as caught:
            ship().train()
    assert str(tmp_path / part.replace("/.", "/")).rstrip("/") in str(caught.value)
    after = contents(tmp_path / "run")
    if "resume" in part or "ship" in part:
        assert before.items() <= after.items()
    assert not [path for path in after if path.name.startswith(".") or path.suffix == ".part"]
    assert not (tmp_path / "run/results.json").exists()


def test_full_disk_ends_train_py_with_status_2(monkeypatch, capsys):
    def fill(args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere/events")

    monkeypatch.setattr(train, "run", fill)
    with pytest.raises(SystemExit) as ended:
        train.main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: Cannot write somewhere/events: No space left on device.")
