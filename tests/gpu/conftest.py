"""Tests on a GPU, against the CPU: `SHIP_TEST_DEVICE=cuda python -m pytest tests/gpu`, or scripts/gpu_check.sh.

With SHIP_TEST_DEVICE=cpu the same tests run on the CPU, to find what is wrong with themselves. Without, all are
skipped. SHIP_TEST_QUICK=1: fewer cases. $SHIP_TEST_REPORT: a file that gets a line of JSON for each finished test.
"""

import json
import os
from pathlib import Path

import pytest
import torch

from tests.conftest import CHECKOUT
from tests.trainers.conftest import RESNET, VIT, random_clip

DEVICE = os.environ.get("SHIP_TEST_DEVICE", "")
QUICK = bool(os.environ.get("SHIP_TEST_QUICK"))  # fewer cases
SHORT = (
    *("DATASET.NUM_SHOTS", "16", "DATASET.SUBSAMPLE_CLASSES", "base", "TRAINER.FEATURES.VIEWS", "2"),
    *("TRAINER.SHIP.OPTIM.MAX_EPOCH", "6", "OPTIM.MAX_EPOCH", "10", "DATALOADER.NUM_WORKERS", "0"),
)


THERE = DEVICE == "cpu" or (DEVICE == "cuda" and torch.cuda.is_available())


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # what workers of pytest-xdist find is reported to the first process, too
        os.environ.pop("SHIP_TEST_REPORT", None)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without a device, all but the test that is skipped for that."""
    needs_one = collection_path.match("test_*.py") and collection_path.stem != "test_device"
    return True if needs_one and not THERE else None


@pytest.fixture(scope="session")
def device() -> torch.device:
    if not THERE:
        asked = DEVICE == "cuda"
        pytest.skip("there is no GPU" if asked else "SHIP_TEST_DEVICE=cuda runs the tests on a GPU")
    return torch.device(DEVICE)


@pytest.fixture(scope="session", params=["vit"] if QUICK else ["vit", "resnet"])
def clip_file(request, tmp_path_factory) -> Path:
    """A checkpoint of a small random CLIP."""
    path = tmp_path_factory.mktemp("clip") / f"{request.param}.pt"
    vision, feature_dim, width = (VIT, 64, 128) if request.param == "vit" else (RESNET, 96, 64)
    torch.save(random_clip(vision, feature_dim, width, layers=3).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def shapes_data(tmp_path_factory) -> Path:
    """DATA, where `shapes` is rendered once."""
    return Path(os.environ.get("SHIP_TEST_DATA") or tmp_path_factory.mktemp("data"))


@pytest.fixture
def words(device, request, tmp_path):
    """Words of train.py for a short run of a trainer: on a GPU of `shapes`, on the CPU of six tiny classes."""

    def made(trainer: str, name: str, *pairs: object) -> list[str]:
        configs = CHECKOUT / "configs"
        options = ["--seed", 1, "--trainer", trainer, "--output-dir", tmp_path / name]
        if device.type == "cuda":
            options += ["--root", request.getfixturevalue("shapes_data")]
            options += ["--dataset-config-file", configs / "datasets/shapes.yaml"]
            options += ["--config-file", configs / f"trainers/{trainer}/shapes.yaml", *SHORT]
        else:
            options += ["--root", request.getfixturevalue("pets")]
            options += ["--dataset-config-file", configs / "datasets/oxford_pets.yaml"]
            options += ["--backbone", request.getfixturevalue("tiny_clip")]
            options += ["--config-file", configs / f"trainers/{trainer}/vit_b16.yaml", *SHORT]
            options += ["DATASET.NUM_SHOTS", 4, "OPTIM.MAX_EPOCH", 4]
        return [str(word) for word in (*options, *pairs)]

    return made


def pytest_runtest_logreport(report) -> None:
    path = os.environ.get("SHIP_TEST_REPORT")
    if not path:
        return
    if report.when != "call" and report.outcome == "passed":
        return
    crash = getattr(report.longrepr, "reprcrash", None) if report.failed else None
    about = {
        "test": report.nodeid.rpartition("/")[2],
        "outcome": report.outcome,
        "seconds": round(report.duration, 2),
        "said": crash.message if crash else "",
    }
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(about) + "\n")
