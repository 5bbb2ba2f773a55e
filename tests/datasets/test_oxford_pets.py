"""OxfordPets without its published split: from the distribution's lists."""

import json
from functools import partial

import pytest

from datasets import DatasetError
from tests.datasets import trees
from tests.datasets.trees import files

load = partial(trees.load, "OxfordPets")


@pytest.fixture
def unsplit(pets):
    (pets / "oxford_pets/split_zhou_OxfordPets.json").unlink()
    return pets


def test_lists_give_items_labels_and_names(unsplit):
    dataset = load(unsplit)
    assert dataset.classnames == ["abyssinian", "bengal", "birman", "bombay", "beagle", "boxer"]
    assert (len(dataset.train_x), len(dataset.val), len(dataset.test)) == (36, 12, 24)
    assert all(file.startswith(item.classname) for item, file in zip(dataset.test, files(dataset.test), strict=True))


def test_split_is_kept_and_read_the_next_time(unsplit):
    first = load(unsplit, seed=1)
    again = load(unsplit, seed=2)
    assert files(first.train_x) == files(again.train_x)
    rows = json.loads((unsplit / "oxford_pets/split_drawn.json").read_text())["test"]
    assert rows[0] == ["abyssinian_8.jpg", 0, "abyssinian"]


@pytest.mark.parametrize("content", [None, "abyssinian_1\n", "abyssinian_1 one 1 1\n"])
def test_missing_or_malformed_list_is_named(content, unsplit):
    path = unsplit / "oxford_pets/annotations/trainval.txt"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DatasetError, match=r"trainval\.txt"):
        load(unsplit)
