"""SHIP on each method that it can carry, on the embedded data: it learns, and one checkpoint evaluates elsewhere."""

import json
import re
import subprocess
import sys

import pytest

from datasets.shapes_classes import REPORT_CLASSES
from tests.conftest import CHECKOUT

EPOCHS = {
    "shapes": 5,
    "shapes_cocoop": 5,
    "shapes_clip_adapter": 5,
    "shapes_tip_adapter_f": 20,
}  # steps are cheap there
SHORT = "TRAINER.FEATURES.VIEWS 1 DATASET.NUM_SHOTS 4 TRAINER.SHIP.OPTIM.MAX_EPOCH 8".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A DATA folder, where the first run renders the dataset."""
    return tmp_path_factory.mktemp("data")


def start(recipe: str, data, output, classes: str, *flags: object) -> subprocess.CompletedProcess:
    command = [
        *(sys.executable, CHECKOUT / "train.py", "--root", data, "--seed", 1, "--trainer", "SHIP"),
        *("--config-file", CHECKOUT / f"configs/trainers/SHIP/{recipe}.yaml", "--output-dir", output),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/shapes.yaml", *flags, *SHORT),
        *("DATASET.SUBSAMPLE_CLASSES", classes, "OPTIM.MAX_EPOCH", EPOCHS[recipe]),
    ]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=900)


def losses(log: str, printed: str) -> list[float]:
    """Mean loss of each epoch of the stage whose lines have `printed`."""
    lines = re.findall(rf"epoch \[(\d+)/\d+\].* loss \S+ \((\S+)\) .*{printed} ", log)
    return [float(loss) for loss in dict(lines).values()]


@pytest.mark.parametrize("recipe", EPOCHS)
def test_learns_and_evaluates_on_base_new_and_all(recipe, data, tmp_path):
    trained = start(recipe, data, tmp_path / "run", "base")
    assert trained.returncode == 0, trained.stderr
    for printed in ("kl", "acc"):
        epochs = losses(trained.stdout, printed)
        assert len(epochs) >= 3
        assert epochs[-1] < epochs[0], printed
    half = len(REPORT_CLASSES) // 2
    for classes, names in (("base", REPORT_CLASSES[:half]), ("new", REPORT_CLASSES[half:]), ("all", REPORT_CLASSES)):
        folder = tmp_path / classes if classes != "base" else tmp_path / "run"
        if classes != "base":
            done = start(recipe, data, folder, classes, "--eval-only", "--model-dir", tmp_path / "run")
            assert done.returncode == 0, done.stderr
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        assert results["classnames"] == list(names)
        assert results["metrics"]["accuracy"] > 3 * 100 / len(names)  # chance
