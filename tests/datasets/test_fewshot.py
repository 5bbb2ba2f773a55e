"""Split files, few-shot samples and base/new halves, against upstream's."""

import json
import os
import random
from types import SimpleNamespace

import pytest
from dassl.data.datasets import Datum

from datasets import DatasetError
from datasets.fewshot import check_subset, split_trainval, subsample_classes
from datasets.oxford_pets import OxfordPets


def config(root, shots: int = -1, seed: int = 1, subset: str = "all") -> SimpleNamespace:
    return SimpleNamespace(
        DATASET=SimpleNamespace(ROOT=str(root), NUM_SHOTS=shots, SUBSAMPLE_CLASSES=subset), SEED=seed
    )


def load(root, shots: int = -1, seed: int = 1, subset: str = "all") -> OxfordPets:
    random.seed(seed)
    return OxfordPets(config(root, shots, seed, subset))


def files(items: list[Datum]) -> list[str]:
    return [os.path.basename(item.impath) for item in items]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shots", [1, 4, 16])
def test_few_shot_samples_equal_upstreams(shots, seed, pets, golden):
    expected = golden["facts"][f"fewshot/shots{shots}/seed{seed}"]
    for _ in ("drawn", "read from the cache"):
        dataset = load(pets, shots, seed)
        assert {"train": files(dataset.train_x), "val": files(dataset.val)} == expected


@pytest.mark.parametrize("subset", ["base", "new"])
def test_halves_equal_upstreams(subset, pets, golden):
    dataset = load(pets, subset=subset)
    expected = golden["facts"][f"subsample/{subset}"]
    assert dataset.classnames == expected["classnames"]
    for part in (dataset.train_x, dataset.val, dataset.test):
        assert sorted({item.label for item in part}) == expected["labels"]
        assert {dataset.lab2cname[item.label] == item.classname for item in part} == {True}


def test_odd_number_of_classes_gives_base_the_larger_half():
    items = [Datum(impath="x", label=label, classname=str(label)) for label in range(5)]
    base, new = (subsample_classes(items, subset=subset)[0] for subset in ("base", "new"))
    assert ([item.classname for item in base], [item.classname for item in new]) == (["0", "1", "2"], ["3", "4"])
    assert [item.label for item in new] == [0, 1]


def test_few_shot_sampling_comes_before_the_halves(pets):
    """So base and new are samples of the same draw, whichever is asked for."""
    whole = files(load(pets, 4).train_x)
    for cache in (pets / "oxford_pets/split_fewshot").iterdir():
        cache.unlink()
    assert files(load(pets, 4, subset="new").train_x) == whole[12:]


def test_split_of_training_images_equals_upstreams(golden):
    items = [Datum(impath=str(index), label=index % 3, classname=str(index % 3)) for index in range(30)]
    random.seed(1)
    train, val = split_trainval(items)
    expected = golden["facts"]["split_trainval/seed1"]
    assert [int(item.impath) for item in train] == expected["train"]
    assert [int(item.impath) for item in val] == expected["val"]


def test_few_shot_cache_of_another_split_is_drawn_again(pets, capsys):
    load(pets, 1)
    split = pets / "oxford_pets/split_zhou_OxfordPets.json"
    parts = json.loads(split.read_text())
    parts["train"] = [row for row in parts["train"] if row[0] != "abyssinian_1.jpg"]
    split.write_text(json.dumps(parts))
    assert "abyssinian_1.jpg" not in files(load(pets, 1).train_x)
    assert "drawing it again" in capsys.readouterr().out


def test_sample_that_cannot_be_kept_is_used_all_the_same(pets, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only file system")

    monkeypatch.setattr("datasets.fewshot.write_split", refuse)
    assert len(load(pets, 1).train_x) == 6
    assert "read-only file system" in capsys.readouterr().out


def test_failed_write_leaves_no_half_file(pets, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", refuse)
    load(pets, 1)
    assert list((pets / "oxford_pets/split_fewshot").iterdir()) == []


@pytest.mark.parametrize(
    "content", ["", "{}", '{"train": 3, "val": [], "test": []}', '{"train": [["a"]]}', "[]", '{"train": [[1, 2, 3]]}']
)
def test_malformed_split_file_is_named(content, pets):
    (pets / "oxford_pets/split_zhou_OxfordPets.json").write_text(content)
    with pytest.raises(DatasetError, match=r"split_zhou_OxfordPets\.json is not a readable split file"):
        load(pets)


def test_missing_folder_says_what_is_expected_where(tmp_path):
    with pytest.raises(DatasetError, match=r"(?s)oxford_pets not found.*images/.*--root"):
        load(tmp_path)


@pytest.mark.parametrize(("subset", "hint"), [("bsae", "base"), ("New", "new"), ("al", "all")])
def test_misspelt_subset_gets_the_nearest(subset, hint):
    with pytest.raises(DatasetError, match=f"Did you mean {hint}"):
        check_subset(subset)


def test_half_without_classes_is_refused():
    with pytest.raises(DatasetError, match="no new classes"):
        subsample_classes([Datum(impath="x", label=0, classname="only")], subset="new")
