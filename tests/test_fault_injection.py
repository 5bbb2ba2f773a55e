"""A short fault injection; tests/fault_injection.py is to be run by hand for a long one on `shapes`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

SHORT = (
    *("DATASET.NUM_SHOTS", 4, "DATALOADER.NUM_WORKERS", 0, "DATALOADER.TRAIN_X.BATCH_SIZE", 4, "OPTIM.MAX_EPOCH", 4),
    *("TRAINER.FEATURES.VIEWS", 1, "TRAINER.SHIP.BATCH_SIZE", 4, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 4),
    *("TRAINER.SHIP.ENCODER_DIM", 16, "TRAINER.SHIP.GENERATOR_DIM", 16),
)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="finds the path of a file by /proc")
def test_run_that_is_killed_at_random_places_ends_like_one_that_is_not(pets, tiny_clip, tmp_path):
    command = [
        *(sys.executable, CHECKOUT / "tests/fault_injection.py", "--kills", 6, "--output", tmp_path / "kills"),
        *("--root", pets, "--seed", 1, "--trainer", "SHIP", "--backbone", tiny_clip),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
        *("--config-file", CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml", *SHORT),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "survived 6 kills of 6" in done.stdout
    assert "equal bit for bit" in done.stdout
