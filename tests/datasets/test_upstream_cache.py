"""Few-shot samples that upstream has pickled: used as they are, and nothing in them is run."""

import os
import pickle
import random
from functools import partial
from pathlib import Path

import pytest
from dassl.data.datasets import Datum

from datasets import DatasetError
from tests.datasets import trees
from tests.datasets.trees import files

load = partial(trees.load, "OxfordPets")
ELSEWHERE = "/home/somebody/data/oxford_pets/images"


def upstream_items(split, folder: str = ELSEWHERE) -> list[Datum]:
    return [Datum(impath=f"{folder}/{name}", label=label, classname=classname) for name, label, classname in split]


def cache(root: Path, content: object, protocol: int = pickle.HIGHEST_PROTOCOL) -> Path:
    path = root / "oxford_pets/split_fewshot/shot_1-seed_1.pkl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


TRAIN = [(f"{name}_5.jpg", label, name) for label, name in enumerate(trees.PETS)]
VAL = [(f"{name}_7.jpg", label, name) for label, name in enumerate(trees.PETS)]


@pytest.mark.parametrize("protocol", [2, 4, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("folder", [ELSEWHERE, r"C:\data\oxford_pets\images"])
def test_upstreams_sample_is_used_wherever_it_was_drawn(protocol, folder, pets, capsys):
    path = cache(pets, {"train": upstream_items(TRAIN, folder), "val": upstream_items(VAL, folder)}, protocol)
    dataset = load(pets, 1)
    assert (files(dataset.train_x), files(dataset.val)) == ([row[0] for row in TRAIN], [row[0] for row in VAL])
    assert all(os.path.isfile(item.impath) for item in dataset.train_x)
    assert f"Loading preprocessed few-shot data from {path}" in capsys.readouterr().out
    assert not list(path.parent.glob("*.json"))


def test_reading_it_takes_no_random_number(pets):
    cache(pets, {"train": upstream_items(TRAIN), "val": upstream_items(VAL)})
    load(pets, 1, seed=1)
    after = random.random()
    random.seed(1)
    assert random.random() == after


def test_own_sample_comes_first(pets):
    drawn = files(load(pets, 1).train_x)
    cache(pets, {"train": upstream_items(TRAIN), "val": upstream_items(VAL)})
    assert files(load(pets, 1).train_x) == drawn != [row[0] for row in TRAIN]


def test_imagenets_sample_has_no_validation_images(tmp_path):
    for part in ("train", "val"):
        for index in range(3):
            trees.touch(tmp_path / f"imagenet/images/{part}/n01440764/{part}_{index}.JPEG")
    trees.write_lines(tmp_path / "imagenet/classnames.txt", ["n01440764 tench"])
    path = tmp_path / "imagenet/split_fewshot/shot_1-seed_1.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps({"train": upstream_items([("train/n01440764/train_2.JPEG", 0, "tench")])}))
    dataset = trees.load("ImageNet", tmp_path, 1)
    assert (files(dataset.train_x), len(dataset.val)) == (["train_2.JPEG"], 3)


@pytest.mark.parametrize(
    "row", [("gone.jpg", 0, "abyssinian"), ("abyssinian_5.jpg", 1, "abyssinian"), ("abyssinian_5.jpg", 0, "lion")]
)
def test_sample_of_another_split_is_drawn_again(row, pets, capsys):
    path = cache(pets, {"train": upstream_items([row, *TRAIN[1:]]), "val": upstream_items(VAL)})
    assert len(load(pets, 1).train_x) == 6
    assert f"{path} is of another split, and not used" in capsys.readouterr().out


class Payload:
    """Unpickled the ordinary way, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("place", [lambda p: p, lambda p: {"train": [p], "val": []}, lambda p: {p: []}])
def test_pickle_that_would_run_a_command_is_refused_and_runs_nothing(place, pets, tmp_path):
    mark = tmp_path / "ran"
    content = pickle.dumps(place(Payload(f"touch {mark}")))
    pickle.loads(content)
    assert mark.exists(), "the payload works where nothing stops it"
    mark.unlink()
    path = cache(pets, content)
    with pytest.raises(DatasetError, match=rf"(?s){path.name} asks for \w+\.system.*not loaded.*Delete the file"):
        load(pets, 1)
    assert not mark.exists()


def test_pickle_cannot_change_datum(pets):
    """A state that sets attributes of the class itself, which unpickling allows."""
    before = Datum.impath
    hostile = b"\x80\x02cdassl.data.datasets.base_dataset\nDatum\n(N}U\x06impathU\x04evilstb."
    cache(pets, hostile)
    with pytest.raises(DatasetError, match="cannot be read as CoOp's few-shot data"):
        load(pets, 1)
    assert Datum.impath is before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps({"train": [Datum("a", 0, 0, "b")]})[:-9],
        pickle.dumps([1, 2]),
        pickle.dumps({"train": [{"impath": "x"}]}),
    ],
    ids=["empty", "text", "truncated", "list", "dicts"],
)
def test_damaged_pickle_is_named(content, pets):
    path = cache(pets, content)
    with pytest.raises(DatasetError, match=rf"{path.name} cannot be read as CoOp's few-shot data"):
        load(pets, 1)
