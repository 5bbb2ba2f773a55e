"""SHIP on each method that it can carry, on fewer pictures of the embedded data: learns as recorded, and evaluates.

A change that moves the figures is a decision; `python -m tests.golden.ship_runs` records them anew.
"""

import json

import pytest
import torch

from tests.golden import ship_runs
from tests.golden.ship_runs import CLASSES, RECIPES

HALF = 7  # of 13 classes
STEPS = {"PromptVAE": 3, "SHIP": 5}  # an epoch: 35 images in batches of 16, and of 8
WITHIN = {"rtol": 1e-3, "atol": 1e-5}  # rounding differs between machines, and grows


@pytest.fixture(scope="module", autouse=True)
def smaller_shapes():
    with ship_runs.smaller_shapes():
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A DATA folder, where the first run renders the dataset."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def recorded() -> dict:
    return json.loads(ship_runs.RECORDED.read_text(encoding="utf-8"))


def by_epoch(values: list[float], stage: str) -> torch.Tensor:
    return torch.tensor(values).view(-1, STEPS[stage]).mean(dim=1)


@pytest.mark.parametrize("carrier", RECIPES)
def test_learns_as_recorded_and_evaluates_on_base_new_and_all(carrier, recorded, data, tmp_path):
    found = ship_runs.losses_of(ship_runs.build(carrier, data, tmp_path / "base"))
    assert found.keys() == recorded[carrier].keys() == STEPS.keys()
    for stage, printed in found.items():
        for name in ("loss", "rec", "kl"):
            if name in printed:
                expected = torch.tensor(recorded[carrier][stage][name])
                torch.testing.assert_close(torch.tensor(printed[name]), expected, **WITHIN)
        falling = by_epoch(printed["rec" if stage == "PromptVAE" else "loss"], stage)
        assert falling[-2:].mean() < falling[:2].mean(), stage
    for classes, names in (("base", CLASSES[:HALF]), ("new", CLASSES[HALF:]), ("all", CLASSES)):
        if classes != "base":
            trainer = ship_runs.build(carrier, data, tmp_path / classes, classes)
            trainer.load_model(str(tmp_path / "base"))
            trainer.test()
        results = json.loads((tmp_path / classes / "results.json").read_text(encoding="utf-8"))
        assert results["classnames"] == list(names)
        assert results["metrics"]["accuracy"] > 2 * 100 / len(names)  # chance


def test_inputs_can_tell(data, tmp_path):
    """Batches that divide nothing, several views, and more validation images than a few-shot run takes."""
    trainer = ship_runs.build("CoOp", data, tmp_path / "run")
    dataset, loading = trainer.dm.dataset, trainer.cfg.DATALOADER
    assert len(dataset.train_x) == 5 * HALF
    assert len(dataset.val) == 4 * HALF < ship_runs.PARTS["val"][1] * HALF
    assert all(len(dataset.train_x) % size for size in (loading.TRAIN_X.BATCH_SIZE, trainer.options.BATCH_SIZE))
    assert trainer.banked_views > 1
