"""The reference procedure trains what ours does, and besides it all that the authors' code does."""

from unittest import mock

import pytest
import torch
from bench import whole_run
from bench.architectures import random_clip
from bench.full_size import TRIALS, Size
from bench.parts import plain_path
from bench.whole_run import WholeRun

from trainers.blocks.training import feature_trainer

SIZE = Size(classes=4, base=2, shots=2, val=4, test=4, epochs=(TRIALS, 2), views=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trainers of both ways after training on the base classes, and what they told."""
    root = tmp_path_factory.mktemp("whole")
    whole_run.pictures(root, SIZE)
    backbone, found = random_clip("tiny"), {}
    for name, way in (("ours", backbone), ("reference", plain_path(backbone))):
        run = WholeRun(way, root, SIZE, reference=name == "reference")
        told = []
        at_hand = {"load_backbone": lambda *args, way=way: way, "check_weights": lambda name: None}
        with mock.patch.multiple(feature_trainer, **at_hand):
            trainer = run.trainer(root / name, "base", told.append)
            before = trainer.classifier.learned.state_dict()["ctx"].clone()
            trainer.train()
        found[name] = trainer, told, before
    return found


def test_stage_two_is_trained_in_the_course_of_stage_one(trained):
    _, told, _ = trained["reference"]
    trial = ["SHIP, epoch 1 of 2", "SHIP, epoch 2 of 2"]
    assert told == [
        line for epoch in range(1, TRIALS + 1) for line in (f"PromptVAE, epoch {epoch} of {epoch}", *trial)
    ]
    _, told, _ = trained["ours"]
    assert told == [f"PromptVAE, epoch {epoch + 1} of {TRIALS}" for epoch in range(TRIALS)] + trial


def test_what_is_learned_in_the_end_is_what_ours_learns(trained):
    (ours, _, before), (reference, *_) = trained["ours"], trained["reference"]
    assert len(ours.losses) == TRIALS + 2
    assert reference.losses == pytest.approx(ours.losses, abs=1e-5)
    learned, expected = (one.classifier.learned.state_dict()["ctx"] for one in (reference, ours))
    moved = (expected - before).abs().max()
    assert moved > 0
    assert (learned - expected).abs().max() < moved / 100


def test_what_ours_does_not_do_is_timed_apart(trained):
    ours, reference = (trained[name][0] for name in ("ours", "reference"))
    assert not ours.extra
    assert set(ours.taken) == {"features", "PromptVAE", "SHIP", "test"}
    assert set(reference.taken) == {"PromptVAE", "SHIP", "test"}
    assert set(reference.extra) == {"features", "SHIP", "test"}
