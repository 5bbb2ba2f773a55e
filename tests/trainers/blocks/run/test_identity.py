"""What tells one run from another: keys that decide its figures, and paths where nothing else is known."""

from copy import deepcopy
from pathlib import Path

import pytest

import train
from trainers.blocks.run.identity import Difference, config_hash, differences, flatten, path_end, to_plain

WORKERS = "DATALOADER.NUM_WORKERS"  # compared by whether there are any
WITHOUT_EFFECT = {
    *("OUTPUT_DIR", "RESUME", "DATASET.ROOT", "VERBOSE", "TRAIN.PRINT_FREQ", "MODEL.BACKBONE.TITLE"),
    *("TRAINER.FEATURES.RESUME_EVERY", "TRAINER.FEATURES.CACHE", "TRAINER.FEATURES.DEVICES"),
}


@pytest.fixture(scope="module")
def default() -> dict:
    return to_plain(train.default_cfg())


def changed(default: dict, key: str) -> dict:
    """The configuration with another value of one key."""
    config = deepcopy(default)
    *nodes, name = key.split(".")
    node = config
    for part in nodes:
        node = node[part]
    value = node[name]
    node[name] = not value if isinstance(value, bool) else f"{value}, another"
    return config


def test_every_key_tells_two_runs_apart_but_those_that_decide_nothing(default):
    keys = flatten(default).keys() - {WORKERS}
    assert {key for key in keys if not differences(default, changed(default, key))} == WITHOUT_EFFECT


def test_the_key_that_differs_is_named_with_both_values(default):
    key = "TRAINER.SHIP.SYNTHESIS"
    other = changed(default, key)
    assert differences(default, other) == [Difference(key, "vae", "vae, another")]
    assert config_hash(default) != config_hash(other)


@pytest.mark.parametrize("key", ["SOURCE", "INIT_WEIGHTS"])
def test_sources_of_which_no_more_is_known_are_compared_by_the_ends_of_their_paths(key):
    def config(folder: str) -> dict:
        return {"TRAINER": {"SHIP": {"SOURCE": folder}}} if key == "SOURCE" else {"MODEL": {"INIT_WEIGHTS": folder}}

    here = config("/here/output/shapes/shots_4/SHIP/seed1")
    assert differences(here, config("/elsewhere/shapes/shots_4/SHIP/seed1")) == []
    for other in ("shapes/shots_4/SHIP/seed2", "shapes/shots_4/CoOp/seed1", "shapes/shots_8/SHIP/seed1"):
        assert differences(here, config(f"/here/output/{other}"))
    assert differences(here, config("/here/output/pets/shots_4/SHIP/seed1"))


def test_the_end_of_a_path_is_the_last_four_parts_of_the_absolute_path(monkeypatch, tmp_path):
    assert path_end("/a/b/c/d/e") == "b/c/d/e"
    monkeypatch.chdir(tmp_path)
    assert path_end("x") == "/".join(Path(tmp_path, "x").parts[-4:])
