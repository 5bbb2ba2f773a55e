"""ResumableTrainer: saves the state of a run, so that it can be killed at any moment and go on as if it had not."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from dassl.optim import build_lr_scheduler, build_optimizer
from torch import Tensor, nn
from yacs.config import CfgNode

from ..clip.precision import Precision
from ..features.batches import Batch, Batches
from ..run import state as run_state
from ..run.folder import check_same_run
from ..run.identity import config_hash, to_plain
from ..run.interruption import Stopped, StopSignals
from ..run.sources import comparable, sources_of
from ..run.states import SavedState, StateFolder, StateSaver, write_failed
from .epochs import EpochTrainer

Loss = Callable[[Tensor, Tensor], tuple[Tensor, dict[str, Tensor | float]]]


@dataclass
class Stage:
    """One thing to train: feature batches, a loss on them, and what updates it for how long."""

    title: str
    batches: Batches
    loss: Loss  # features (B, D), labels (B,) to the loss and what to print of it
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    epochs: int
    per_step: bool = False  # the schedule goes on with every step instead of, as in Dassl, every epoch
    sizes: tuple[str, ...] = ()  # keys that decide how much memory a step takes

    @classmethod
    def of(
        cls, title: str, batches: Batches, loss: Loss, module: nn.Module, optim: CfgNode, sizes: tuple[str, ...] = ()
    ) -> "Stage":
        """Trains a module as a node with the keys of OPTIM says."""
        optimizer = build_optimizer(module, optim)
        scheduler = build_lr_scheduler(optimizer, optim)
        return cls(title, batches, loss, optimizer, scheduler, optim.MAX_EPOCH, sizes=sizes)


class ResumableTrainer(EpochTrainer):
    """Saves the state after each epoch of each stage, and takes it up when the run is started again.

    A subclass sets `numerics`, calls `begin` while it builds its model, and `resume_stage` when a stage begins;
    `learned` says what is learned in all stages.
    """

    stage: Stage  # that is being trained
    numerics: Precision

    def begin(self, every: int) -> None:
        """Starts with nothing done; the state is to be saved every so many epochs."""
        self.seconds: dict[str, float] = {}  # wall time by part of the run
        self.started: dict[str, float] = {}  # when the parts began that are not over
        self.trained: dict[str, dict[str, float]] = {}  # by stage: means of the last epoch
        self.taken: dict[str, str] = {}  # by stage: the folder of the run that trained it, if that was another
        self.stop = StopSignals()
        self.sources = sources_of(self.cfg)
        self.states = StateSaver(self.output_dir, every)
        self.saved: SavedState | None = None  # the state to go on from, until its stage begins

    def learned(self) -> tuple[str, torch.nn.Module | None]:
        """The name of the checkpoint's folder, and what is in it."""
        raise NotImplementedError

    def stoppable(self, train: Callable[[], None]) -> None:
        """Trains, unless a signal stops it: then leaves the newest epoch's state. What is complete needs none."""
        with self.stop:
            try:
                train()
            except Stopped as stopped:
                self.states.flush()
                self.close_writer()
                stopped.tell(self.what_comes_next())
                raise
        self.states.clear()

    def what_comes_next(self) -> str:
        """What a restart does."""
        about = self.states.newest
        if about is None:
            return "starts over"
        return f"goes on after epoch {about['epoch']}/{about['epochs']} of {about['stage']}"

    def about(self, epoch: int) -> dict[str, Any]:
        """Which state `state` is: that after so many epochs of the stage."""
        position = {"stage": self.stage.title, "epoch": epoch, "epochs": self.stage.epochs}
        return {**position, **self.identity, "numerics": self.numerics.in_effect}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What tells the run from others; made once, as it takes a while."""
        return {"config": to_plain(self.cfg), "hash": config_hash(self.cfg, self.sources), "sources": self.sources}

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        seconds = {part: self.elapsed(part) for part in (*self.seconds, *self.started)}
        figures = {
            "best_result": float(self.best_result),
            "seconds": seconds,
            "trained": self.trained,
            "taken": self.taken,
        }
        return {**run_state.collect(*self.changing()), **figures}

    def changing(self) -> tuple:
        """What an epoch of the stage changes."""
        return self.learned()[1], self.stage.optimizer, self.stage.scheduler, self.numerics.scaler

    def goes_on_with(self, stage: Stage) -> bool:
        """Whether the saved state is of this stage."""
        return self.saved is not None and self.saved.about["stage"] == stage.title

    def resume_stage(self, stage: Stage, first: int) -> int:
        """Puts the run into the saved state, if that is of this stage; the epoch to begin with.

        A run that is new saves the state that it begins in: without, a checkpoint of Dassl's that it leaves before
        its first state would be gone on from, and that knows of no random numbers.
        """
        if not self.goes_on_with(stage):
            if first == 0 and self.states.every and not self.states.folder.begun():
                self.states.write(SavedState(self.about(0), self.state()))
            return first
        (about, state), self.saved = self.saved, None
        run_state.restore(state, *self.changing())
        self.best_result, self.seconds, self.trained = state["best_result"], state["seconds"], state["trained"]
        self.taken = state.get("taken", {})  # states of older versions have none
        print(f"Going on with {stage.title} after epoch {about['epoch']} of {stage.epochs}")
        before, now = about.get("numerics"), self.numerics.in_effect
        if before not in (None, now):
            began, goes_on = (", ".join(f"{name} {value}" for name, value in some.items()) for some in (before, now))
            print(
                f"Warning: this run began with {began}, and goes on with {goes_on}; figures will be those of neither"
            )
        return about["epoch"]

    def resume_model_if_exist(self, directory: str) -> int:
        """The epoch of the classifier's training to begin with: by a saved state, else by Dassl's checkpoint.

        The output folder's own state comes before that of a folder to resume from. Raises InputError where it is of
        another configuration.
        """
        for folder in dict.fromkeys((self.output_dir, directory)):
            states = StateFolder(folder)
            self.saved = states.newest()
            if self.saved is not None:
                self.states.newest = about = self.saved.about
                check_same_run(folder, *comparable(about, {"config": self.cfg, "sources": self.sources}))
                return about["epoch"] if about["stage"] == self.cfg.TRAINER.NAME else 0
            if states.begun():
                return 0  # not from Dassl's checkpoint, which would not lead to the same figures
        if not all(Path(directory, name, "checkpoint").is_file() for name in self.get_model_names()):
            print("No checkpoint found, train from scratch")  # Dassl looks for the folder, and then opens the file
            return 0
        return super().resume_model_if_exist(directory)

    def diverged(self, loss: Tensor, batch: Batch) -> FloatingPointError:
        """The error for a loss that is not finite; leaves the run's state for inspection."""
        stage = self.stage
        where = f"{stage.title}, epoch {self.epoch + 1}/{stage.epochs}, step {self.batch_idx + 1}/{self.num_batches}"
        state = {**self.state(), "features": batch[0], "labels": batch[1], "loss": loss.item()}
        path = write_failed(self.output_dir, SavedState(self.about(self.epoch) | {"step": self.batch_idx + 1}, state))
        return FloatingPointError(
            f"The loss is {loss.item()} in {where}. The state before that step, with its batch, is in {path}.\n"
            "A lower learning rate (OPTIM.LR) or another precision may help; so changed, it is another run: give it "
            "another output folder, or start over in this one."
        )

    @contextmanager
    def clock(self, part: str) -> Iterator[None]:
        """Adds to the wall time of a part of the run, in seconds."""
        self.started[part] = time.perf_counter()
        yield
        self.seconds[part] = self.elapsed(part)
        del self.started[part]

    def elapsed(self, part: str) -> float:
        """Wall time of a part so far, in seconds."""
        running = time.perf_counter() - self.started[part] if part in self.started else 0.0
        return round(self.seconds.get(part, 0.0) + running, 3)
