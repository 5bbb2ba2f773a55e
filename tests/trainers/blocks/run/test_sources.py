"""What a run begins with is identified by config hash and checksum, wherever it lies."""

import json
import shutil
from pathlib import Path

import pytest

from trainers.blocks.errors import InputError
from trainers.blocks.run.folder import RequestedRun, complete_record, other_model
from trainers.blocks.run.identity import BACKBONE, INIT_WEIGHTS, SOURCE, config_hash, differences
from trainers.blocks.run.results import EVALUATION, TRAINING
from trainers.blocks.run.sources import comparable, sources_of

PLACE = "shots_16/SHIP/vit_b16/seed1"  # the same for all datasets


def trained(folder: Path, dataset: str, weights: bytes = b"weights") -> Path:
    """The output folder of a run of SHIP on a dataset."""
    config = {"DATASET": {"NAME": dataset}}
    (folder / "ship").mkdir(parents=True)
    (folder / "ship/checkpoint").write_text("model.pth.tar-2")
    (folder / "ship/model.pth.tar-2").write_bytes(weights)
    (folder / "results.json").write_text(json.dumps({"config": config, "config_hash": config_hash(config)}))
    return folder


def config_of(source: Path | str, key: str = SOURCE) -> dict:
    if key == SOURCE:
        return {"OUTPUT_DIR": "a", "TRAINER": {"SHIP": {"SOURCE": str(source)}}}
    return {"MODEL": {"INIT_WEIGHTS": str(source)}}


def record_of(config: dict) -> dict:
    return {"config": config, "sources": sources_of(config)}


def compared(one: dict, other: dict) -> list[str]:
    return [difference.key for difference in differences(*comparable(one, other))]


@pytest.fixture
def pets(tmp_path) -> Path:
    return trained(tmp_path / "output/train_base/oxford_pets" / PLACE, "OxfordPets")


@pytest.fixture
def eurosat(tmp_path) -> Path:
    return trained(tmp_path / "output/train_base/eurosat" / PLACE, "EuroSAT", b"others")


def test_sources_on_two_datasets_are_different_though_their_paths_end_alike(pets, eurosat):
    one, other = config_of(pets), config_of(eurosat)
    assert differences(one, other) == []
    assert compared(record_of(one), record_of(other)) == [f"{SOURCE}.config_hash", f"{SOURCE}.sha256"]
    assert config_hash(one, sources_of(one)) != config_hash(other, sources_of(other))


def test_a_source_that_was_moved_as_a_whole_is_the_same(pets, tmp_path):
    before = record_of(config_of(pets))
    hashed = config_hash(before["config"], before["sources"])
    after = record_of(config_of(shutil.move(pets, tmp_path / "elsewhere")))
    assert compared(before, after) == []
    assert config_hash(after["config"], after["sources"]) == hashed
    assert differences(before["config"], after["config"])  # by their paths they would not be


def test_a_source_that_was_trained_again_is_another(pets):
    before = record_of(config_of(pets))
    (pets / "ship/model.pth.tar-2").write_bytes(b"new weights")
    assert compared(before, record_of(config_of(pets))) == [f"{SOURCE}.sha256"]


def test_weights_to_start_from_are_identified_by_their_checksum(pets, eurosat):
    one, other = (config_of(folder / "ship/model.pth.tar-2", INIT_WEIGHTS) for folder in (pets, eurosat))
    assert compared(record_of(one), record_of(other)) == [f"{INIT_WEIGHTS}.config_hash", f"{INIT_WEIGHTS}.sha256"]


def test_a_backbone_given_by_path_is_its_file_and_not_its_path(tmp_path):
    paths = [tmp_path / name for name in ("one.pt", "copy.pt", "other.pt")]
    for path, content in zip(paths, (b"weights", b"weights", b"others"), strict=True):
        path.write_bytes(content)
    one, copy, other = ({"MODEL": {"BACKBONE": {"NAME": str(path)}}} for path in paths)
    assert compared(record_of(one), record_of(copy)) == []
    assert config_hash(one, sources_of(one)) == config_hash(copy, sources_of(copy))
    assert compared(record_of(one), record_of(other)) == [f"{BACKBONE}.sha256"]


def test_a_published_backbone_is_told_by_its_name():
    one, other = ({"MODEL": {"BACKBONE": {"NAME": name}}} for name in ("ViT-B/16", "RN50"))
    assert sources_of(one) == {}
    assert compared(record_of(one), record_of(other)) == [BACKBONE]


def test_records_without_sources_are_compared_by_path(pets, eurosat, tmp_path):
    old = {"config": config_of(pets)}
    assert compared(old, record_of(config_of(eurosat))) == []
    moved = trained(tmp_path / "elsewhere", "OxfordPets")
    assert compared(old, record_of(config_of(moved))) == [SOURCE]


def test_without_and_with_a_source_differ_by_the_path(pets):
    assert compared(record_of(config_of("")), record_of(config_of(pets))) == [SOURCE]


@pytest.mark.parametrize(("key", "words"), [(SOURCE, "there is no checkpoint"), (INIT_WEIGHTS, "cannot be read")])
def test_a_source_that_is_not_there_is_an_error(key, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sources_of(config_of(tmp_path / "nowhere", key))


def test_complete_run_with_another_source_is_another_run(pets, eurosat, tmp_path):
    output = tmp_path / "target"
    output.mkdir()
    config = {**config_of(pets), "OUTPUT_DIR": str(output)}
    (output / "results.json").write_text(json.dumps({**record_of(config), "metrics": {}, "mode": TRAINING}))
    assert complete_record(RequestedRun(config, {}, TRAINING, sources=sources_of(config)))
    other = {**config_of(eurosat), "OUTPUT_DIR": str(output)}
    with pytest.raises(InputError, match="TRAINER.SHIP.SOURCE.sha256"):
        complete_record(RequestedRun(other, {}, TRAINING, sources=sources_of(other)))


def evaluated(model: Path, *, old: bool = False) -> dict:
    """The record of an evaluation of a model."""
    stated = {} if old else {"config_hash": json.loads((model / "results.json").read_text())["config_hash"]}
    return {"model": str(model), "checkpoint": stated, "mode": EVALUATION, "folder": "x", "config": {}}


def test_models_are_the_same_by_config_hash_and_by_path_where_none_is_known(pets, eurosat, tmp_path):
    moved = Path(shutil.copytree(pets, tmp_path / "moved"))
    for old, model, same in (
        (False, pets, True),
        (False, moved, True),
        (False, eurosat, False),
        (True, eurosat, True),
        (True, moved, False),
    ):
        found = other_model(evaluated(pets, old=old), RequestedRun({}, {}, EVALUATION, str(model)))
        assert (found == []) == same, (old, model)
