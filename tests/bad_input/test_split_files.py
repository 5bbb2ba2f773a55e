"""Split files and few-shot samples: how they are spoilt, words of the message."""

import json
import pickle

import pytest
from dassl.data.datasets import Datum

from tests.datasets.trees import load

READABLE = "is not a readable split file"


def first_row(**changes: object):
    """Spoils the first training entry: its path, label or name."""

    def change(parts: dict) -> None:
        row = dict(zip(("path", "label", "name"), parts["train"][0], strict=True)) | changes
        parts["train"][0] = list(row.values())

    return change


def relabel(old: int, new: int | None):
    """Gives a class another label, or leaves it out."""

    def change(parts: dict) -> None:
        for part, rows in parts.items():
            kept = [row for row in rows if new is not None or row[1] != old]
            parts[part] = [[path, new if label == old else label, name] for path, label, name in kept]

    return change


def without_class(label: int, *parts_without: str):
    def change(parts: dict) -> None:
        for part in parts_without:
            parts[part] = [row for row in parts[part] if row[1] != label]

    return change


TEXTS = [
    ("empty", b""),
    ("text", b"no JSON"),
    ("not UTF-8", b"\xff\xfe{}"),
    ("cut", b'{"train": [["a.jpg", 0, "a"]'),
    ("list", b"[]"),
    ("number", b"3"),
    ("null", b"null"),
    ("no parts", b"{}"),
    ("no test", b'{"train": [], "val": []}'),
    ("parts are numbers", b'{"train": 3, "val": [], "test": []}'),
    ("entries are numbers", b'{"train": [3], "val": [], "test": []}'),
    ("entries are texts", b'{"train": ["abc"], "val": [], "test": []}'),
    ("entries of two", b'{"train": [["a.jpg", 0]], "val": [], "test": []}'),
    ("entries of four", b'{"train": [["a.jpg", 0, "a", 1]], "val": [], "test": []}'),
    ("numbers alone", b'{"train": [[1, 2, 3]], "val": [], "test": []}'),
    ("deep nesting", b"[" * 100_000),
    ("NaN", b'{"train": [["a.jpg", NaN, "a"]], "val": [], "test": []}'),
    ("infinity", b'{"train": [["a.jpg", Infinity, "a"]], "val": [], "test": []}'),
]


@pytest.mark.parametrize("content", [case[1] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_file_that_is_no_split_is_refused(content, world):
    world.split.write_bytes(content)
    world.refused(READABLE)


CHANGES = [
    ("label is text", first_row(label="first"), READABLE),
    ("label is null", first_row(label=None), READABLE),
    ("label is a fraction", first_row(label=0.5), "is no whole number from 0 on"),
    ("label is true", first_row(label=True), "is no whole number from 0 on"),
    ("label is negative", first_row(label=-1), "is no whole number from 0 on"),
    ("label is huge", first_row(label=10**30), "no item has label 6"),
    ("path is empty", first_row(path=""), READABLE),
    ("path is null", first_row(path=None), READABLE),
    ("path has a NUL", first_row(path="a\0b.jpg"), READABLE),
    ("path is half a character", first_row(path="\ud800.jpg"), READABLE),
    ("path is too long", first_row(path="x" * 5000 + ".jpg"), "images missing: 1 of the"),
    ("path leads nowhere", first_row(path="../../../nowhere.jpg"), "images missing: 1 of the"),
    ("two names of a label", first_row(name="lion"), "label 0 has two class names"),
    ("a label left out", relabel(2, None), "no item has label 2"),
    ("labels from 1 on", relabel(0, 6), "no item has label 0"),
    ("class without training images", without_class(1, "train"), "classes without a training image: 1 (bengal)"),
    ("nothing to train on", lambda parts: parts.update(train=[]), "classes without a training image: 6"),
    ("nothing at all", lambda parts: parts.update(train=[], val=[], test=[]), "without a training image"),
    ("nothing to test on", lambda parts: parts.update(test=[]), "no images to load"),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_split_that_cannot_be_used_is_refused(change, words, world):
    world.change_split(change)
    world.refused(words)


def test_one_class_has_no_halves(world):
    world.change_split(lambda parts: parts.update({part: parts[part][:2] for part in parts}))
    world.refused("need at least two, and there is 1", "DATASET.SUBSAMPLE_CLASSES", "base")


def test_folder_in_the_place_of_the_split_is_refused(world):
    world.split.unlink()
    world.split.mkdir()
    for path in (world.pets / "annotations").iterdir():
        path.unlink()
    world.refused("trainval.txt cannot be read")


LISTS = [
    ("empty", "", "without a training image"),
    ("words missing", "abyssinian_1", "trainval.txt cannot be read"),
    ("label is text", "abyssinian_1 one 1 1", "trainval.txt cannot be read"),
    ("label from 0 on", "abyssinian_1 0 1 1", "labels should go from 0"),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in LISTS], ids=[case[0] for case in LISTS])
def test_list_of_the_distribution_that_is_malformed_is_refused(content, words, world):
    world.split.unlink()
    for name in ("trainval.txt", "test.txt"):
        (world.pets / "annotations" / name).write_text(content)
    world.refused(words, "DATASET.SUBSAMPLE_CLASSES", "all")


KEPT = [
    ("empty", "json", b"", READABLE),
    ("cut", "json", b'{"train": [["abyssinian_1.j', READABLE),
    ("numbers", "json", b'{"train": 1, "val": 1}', READABLE),
    ("empty pickle", "pkl", b"", "cannot be read as CoOp's few-shot data"),
    ("text", "pkl", b"no pickle", "cannot be read as CoOp's few-shot data"),
    ("list", "pkl", pickle.dumps([1]), "cannot be read as CoOp's few-shot data"),
    ("dicts", "pkl", pickle.dumps({"train": [{}]}), "cannot be read as CoOp's few-shot data"),
    ("cut pickle", "pkl", pickle.dumps({"train": [Datum("a", 0, 0, "b")]})[:-9], "cannot be read as CoOp's"),
    (
        "foreign class",
        "pkl",
        pickle.dumps({"train": [json.JSONDecodeError("", "", 0)]}),
        "which has no place in few-shot data",
    ),
]


@pytest.mark.parametrize(("kind", "content", "words"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
def test_few_shot_sample_that_cannot_be_read_is_refused(kind, content, words, world):
    path = world.pets / f"split_fewshot/shot_1-seed_1.{kind}"
    path.parent.mkdir()
    path.write_bytes(content)
    world.refused(words, "DATASET.NUM_SHOTS", 1)


def test_more_shots_than_images_are_allowed_and_said_once(pets, capsys):
    dataset = load("OxfordPets", pets, 16)
    assert len(dataset.train_x) == 36
    assert capsys.readouterr().out.count("Note: 6 classes have fewer than 16 training images (abyssinian: 6, ") == 1
