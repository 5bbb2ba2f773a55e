"""SHIP on CoOp as its authors' code runs it, and as ours does: trainers that note what each part of a run takes."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

from yacs.config import CfgNode

from trainers.blocks.features.batches import Batch, FeatureBank
from trainers.blocks.run.randomness import restored_random_state
from trainers.blocks.training.feature_trainer import Stage
from trainers.ship import SHIP, STAGE_ONE

from .full_size import TRIALS
from .machine import now
from .plain import reencoded_views

Tell = Callable[[str], None]  # is told how far a run is


class Ours(SHIP):
    """SHIP, which notes each step's loss and the seconds of each part of the run."""

    def __init__(self, cfg: CfgNode, tell: Tell) -> None:
        self.losses: list[float] = []
        self.took: Counter[str] = Counter()  # seconds by part of the run
        self.extra: Counter[str] = Counter()  # the same of what ours does not do
        self.tell = tell
        super().__init__(cfg)

    @contextmanager
    def clock(self, part: str) -> Iterator[None]:
        start = now()
        with super().clock(part):
            yield
        self.took[part] += now() - start

    def before_epoch(self) -> None:
        self.tell(f"{self.stage.title}, epoch {self.epoch + 1} of {self.epochs_of(self.stage)}")
        super().before_epoch()

    def epochs_of(self, stage: Stage) -> int:
        return (self.options if stage.title == STAGE_ONE else self.cfg).OPTIM.MAX_EPOCH

    def forward_backward(self, batch: Batch) -> dict[str, float]:
        figures = super().forward_backward(batch)
        self.losses.append(figures["loss"])
        return figures


class Reference(Ours):
    """Training images are encoded anew in every epoch, and stage 2 is trained TRIALS times in the course of stage 1.

    What is done besides leaves no trace but its time, so that the losses of stage 1 and of the last training of stage
    2 are those of ours.
    """

    def encode_views(self, views: int) -> FeatureBank:
        return reencoded_views(self, views)

    def first_stage(self) -> None:
        with self.beyond_ours():
            super().encode_views(self.banked_views)  # for a Tip-Adapter's cache, of which no use is made
        with self.clock("test"):
            self.evaluation_features("test")
        super().first_stage()

    def run_stage(self, stage: Stage, first: int = 0, after_epoch: Callable[[], None] = lambda: None) -> None:
        if stage.title != STAGE_ONE:
            super().run_stage(stage, first, after_epoch)
            return
        each = stage.epochs // TRIALS
        for done in range(0, stage.epochs, each):
            if done:
                self.trial()
            super().run_stage(replace(stage, epochs=done + each), done, after_epoch)

    def trial(self) -> None:
        """Stage 2 with the VAE as it is now, from its beginning, and its test."""
        changed = (self.classifier.learned, self.optimizer, self.scheduler)
        before = [deepcopy(part.state_dict()) for part in changed]
        with self.beyond_ours():
            super().run_stage(self.main_stage())
            with self.clock("test"):
                self.classifier.predict(self.evaluation_features("test")[0])
        for part, state in zip(changed, before, strict=True):
            part.load_state_dict(state)

    def test(self, split: str | None = None) -> float:
        with self.beyond_ours(), self.clock("features"):
            self.evaluation_features("val")  # of which no use is made
        return super().test(split)

    @contextmanager
    def beyond_ours(self) -> Iterator[None]:
        """For what ours does not do: its losses are not kept, its time is noted apart, random numbers go on after."""
        losses, took = self.losses, self.took
        self.losses, self.took = [], self.extra
        try:
            with restored_random_state():
                yield
        finally:
            self.losses, self.took = losses, took
