"""What is wrong with a dataset ends a run in a message that names it: status 2, no traceback, nothing trained."""

import shutil

import pytest

SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.COOP.PREC", "fp32")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "oxford_pets not found"),
        (lambda folder: (folder / "images/bengal_9.jpg").unlink(), "images missing: 1 of the 30 to be used"),
    ],
    ids=["dataset", "image"],
)
def test_missing_part_is_named_before_anything_is_trained(spoil, message, train_py, pets):
    spoil(pets / "oxford_pets")
    run = train_py("CoOp", "run", *SHORT, recipe="vit_b16_ctxv1")
    assert (run.status, run.results) == (2, None)
    assert message in run.stderr and "Traceback" not in run.stderr
    assert "epoch [1" not in run.stdout


def test_corrupt_image_is_named(train_py, pets):
    """Also by a loader's worker process, whose traceback comes along."""
    image = pets / "oxford_pets/images/bengal_9.jpg"
    image.write_bytes(image.read_bytes()[:200])
    run = train_py("ZeroshotCLIP", "run", "DATALOADER.NUM_WORKERS", 1, flags=("--eval-only",))
    assert (run.status, run.results) == (2, None)
    assert f"Cannot read the image '{image}'" in run.stderr and "Traceback" not in run.stderr


def test_training_on_a_test_only_dataset_is_refused(train_py):
    run = train_py("CoOp", "run", *SHORT, "DATASET.NAME", "ImageNetSketch", recipe="vit_b16_ctxv1")
    assert (run.status, run.results) == (2, None)
    assert "ImageNetSketch has test images only" in run.stderr and "Traceback" not in run.stderr
