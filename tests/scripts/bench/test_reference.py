"""The reference procedure trains what ours does, and besides it all that the authors' code does."""

from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
import torch
from bench import whole_run
from bench.architectures import random_clip
from bench.full_size import TRIALS, Size
from bench.parts import plain_path
from bench.reference import Ours
from bench.whole_run import WholeRun
from torch import Tensor

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.training import feature_trainer

SIZE = Size(classes=4, base=2, shots=2, val=4, test=4, epochs=(TRIALS, 2), views=1)


@dataclass
class Trained:
    """A trainer after training on the base classes; what it told, and each epoch's learning rate."""

    trainer: Ours | None = None
    told: list[str] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    before: Tensor | None = None  # the context, before training

    def tell(self, line: str) -> None:
        self.told.append(line)
        self.rates.append(self.trainer.get_current_lr())

    @property
    def context(self) -> Tensor:
        return self.trainer.classifier.learned.state_dict()["ctx"].clone()


def train(backbone: Backbone, root: Path, reference: bool) -> Trained:
    run, found = WholeRun(backbone, root, SIZE, reference), Trained()
    at_hand = {"load_backbone": lambda *args: backbone, "check_weights": lambda name: None}
    with mock.patch.multiple(feature_trainer, **at_hand):
        found.trainer = run.trainer(root / run.name, "base", found.tell)
        found.before = found.context
        found.trainer.train()
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, Trained]:
    root = tmp_path_factory.mktemp("whole")
    whole_run.pictures(root, SIZE)
    backbone = random_clip("tiny")
    return {
        "ours": train(backbone, root, reference=False),
        "reference": train(plain_path(backbone), root, reference=True),
    }


def test_stage_two_is_trained_in_the_course_of_stage_one(trained):
    second = ["SHIP, epoch 1 of 2", "SHIP, epoch 2 of 2"]
    first = [f"PromptVAE, epoch {epoch + 1} of {TRIALS}" for epoch in range(TRIALS)]
    assert trained["ours"].told == [*first, *second]
    assert trained["reference"].told == [line for epoch in first for line in (epoch, *second)]


def test_each_training_of_stage_two_begins_anew(trained):
    rates = trained["ours"].rates
    one, two = rates[0], rates[TRIALS:]
    assert len(set(two)) == 2  # the schedule goes on
    assert trained["reference"].rates == [one, *two] * TRIALS


def test_what_is_learned_in_the_end_is_what_ours_learns(trained):
    ours, reference = trained["ours"], trained["reference"]
    assert len(ours.trainer.losses) == TRIALS + 2
    assert reference.trainer.losses == pytest.approx(ours.trainer.losses, abs=1e-4)
    assert torch.equal(ours.before, reference.before)
    moved = (ours.context - ours.before).abs().max()
    assert moved > 0
    assert (reference.context - ours.context).abs().max() < moved / 100


def test_what_ours_does_not_do_is_timed_apart(trained):
    ours, reference = trained["ours"].trainer, trained["reference"].trainer
    assert not ours.extra
    assert set(ours.took) == {"features", "PromptVAE", "SHIP", "test"}
    assert set(reference.took) == {"PromptVAE", "SHIP", "test"}
    assert set(reference.extra) == {"features", "SHIP", "test"}
