"""What a run's log opens with."""

import pytest

from trainers.blocks.run.folder import RequestedRun
from trainers.blocks.run.opening import opening
from trainers.blocks.run.results import EVALUATION, TRAINING

DEFAULTS = {
    "SEED": -1,
    "TRAINER": {"NAME": "", "COOP": {"N_CTX": 16, "CSC": False}, "MCD": {"N_STEP_F": 4}},
    "DATASET": {"NAME": "", "ROOT": "", "NUM_SHOTS": -1, "SUBSAMPLE_CLASSES": "all"},
    "INPUT": {"SIZE": (224, 224)},
}


@pytest.fixture
def config() -> dict:
    return {
        "SEED": 3,
        "TRAINER": {"NAME": "CoOp", "COOP": {"N_CTX": 4, "CSC": False}, "MCD": {"N_STEP_F": 4}},
        "DATASET": {"NAME": "DTD", "ROOT": "/data", "NUM_SHOTS": 16, "SUBSAMPLE_CLASSES": "base"},
        "INPUT": {"SIZE": [224, 224]},
    }


def test_opening_names_engine_method_data_and_the_keys_that_differ(config):
    lines = opening(RequestedRun(config, DEFAULTS, TRAINING), "built-in").splitlines()
    assert lines[0] == "Engine: built-in"
    assert "Method: CoOp, training, seed 3" in lines
    assert "Data: DTD in /data, base classes, 16 shots" in lines
    changed = [line.strip() for line in lines if line.startswith("  ")]
    assert "TRAINER.COOP.N_CTX: 4" in changed
    assert {line.partition(":")[0] for line in changed} == {
        *("SEED", "TRAINER.NAME", "TRAINER.COOP.N_CTX"),
        *("DATASET.NAME", "DATASET.ROOT", "DATASET.NUM_SHOTS", "DATASET.SUBSAMPLE_CLASSES"),
    }


def test_opening_says_which_model_is_evaluated(config):
    config["DATASET"]["NUM_SHOTS"] = -1
    text = opening(RequestedRun(config, DEFAULTS, EVALUATION, "output/run", 5), "Dassl")
    assert "Method: CoOp, evaluation of output/run, epoch 5, seed 3" in text
    assert "base classes, all images" in text


@pytest.mark.parametrize(
    ("mode", "model", "said"),
    [
        (TRAINING, None, "training"),
        (TRAINING, "output/run", "training"),
        (EVALUATION, None, "evaluation"),
        (EVALUATION, "output/run", "evaluation of output/run"),
    ],
)
def test_a_model_is_named_where_one_is_evaluated(mode, model, said, config):
    assert f"Method: CoOp, {said}, seed 3\n" in opening(RequestedRun(config, DEFAULTS, mode, model), "Dassl")


@pytest.mark.parametrize(("shots", "said"), [(16, "16 shots"), (1, "1 shots"), (0, "all images"), (-1, "all images")])
def test_how_many_images_of_a_class_are_trained_on_is_said(shots, said, config):
    config["DATASET"]["NUM_SHOTS"] = shots
    assert f"base classes, {said}\n" in opening(RequestedRun(config, DEFAULTS, TRAINING), "Dassl")
