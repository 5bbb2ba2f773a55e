"""A user's own pictures: two layouts, class names, and what is refused."""

from functools import partial

import pytest

from datasets import DatasetError
from tests.datasets import trees
from tests.datasets.trees import files, rows_of, touch, write_lines

load = partial(trees.load, "ImageFolder", FOLDER="mypics")
CLASSES = ("black cat", "dog", "hot_dog")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mypics"


def fill(folder, count: int, classes=CLASSES) -> None:
    for name in classes:
        for index in range(count):
            touch(folder / name / f"{name}_{index:02d}.JPG")


@pytest.fixture
def flat(folder, tmp_path):
    fill(folder, 20)
    return tmp_path


@pytest.fixture
def parted(folder, tmp_path):
    for part, count in (("train", 5), ("val", 2), ("test", 3)):
        fill(folder / part, count)
    return tmp_path


def paths(dataset) -> list[list[str]]:
    return [[row[0] for row in rows_of(dataset, part)] for part in (dataset.train_x, dataset.val, dataset.test)]


def test_class_folders_are_split_70_10_20_the_same_for_every_seed(flat):
    first, second = load(flat, seed=1), load(flat, seed=2)
    assert [len(part) for part in paths(first)] == [42, 6, 12]
    assert paths(first) == paths(second)
    assert len({path for part in paths(first) for path in part}) == 60
    assert files(first.train_x) != sorted(files(first.train_x))


def test_nothing_is_written_but_few_shot_samples(flat, folder):
    load(flat, shots=2)
    assert sorted(path.name for path in folder.iterdir()) == [*CLASSES, "split_fewshot"]
    assert load(flat).classnames == list(CLASSES)


def test_parts_are_taken_as_they_are(parted):
    dataset = load(parted)
    assert [len(part) for part in paths(dataset)] == [15, 6, 9]
    assert paths(dataset)[2][0] == "test/black cat/black cat_00.JPG"
    assert [item.label for item in dataset.val] == [0, 0, 1, 1, 2, 2]


def test_without_val_a_fifth_of_the_training_images_is_set_aside(parted, folder):
    (folder / "val").rename(parted / "elsewhere")
    dataset, again = load(parted, seed=1), load(parted, seed=2)
    assert [len(part) for part in paths(dataset)] == [12, 3, 9]
    assert paths(dataset) == paths(again)


def test_halves_and_samples(parted):
    base, new = (load(parted, shots=2, subset=subset) for subset in ("base", "new"))
    assert (base.classnames, new.classnames) == (["black cat", "dog"], ["hot_dog"])
    assert (len(base.train_x), len(new.train_x), len(new.test)) == (4, 2, 3)


def test_a_class_called_train_is_a_class(folder, tmp_path):
    fill(folder, 10, ("bus", "train"))
    assert load(tmp_path).classnames == ["bus", "train"]


def test_hidden_files_and_files_that_are_no_images_are_passed_over_and_links_followed(flat, folder, tmp_path):
    for name in ("dog/.dog.jpg", "dog/notes.txt", ".thumbnails/a.jpg", "readme.md"):
        touch(folder / name)
    (folder / "dog").rename(tmp_path / "elsewhere")
    (folder / "dog").symlink_to(tmp_path / "elsewhere")
    assert sum(map(len, paths(load(flat)))) == 60


def test_classnames_file_names_some_classes_otherwise(flat, folder):
    fill(folder, 20, ["black"])
    write_lines(folder / "classnames.txt", ["black cat Panther", "black  black colour", ""])
    assert load(flat).classnames == ["black colour", "Panther", "dog", "hot_dog"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "empty").mkdir(), "empty has no images"),
        (
            lambda folder: write_lines(folder / "classnames.txt", ["dgo Dog"]),
            "begins with no class folder: 'dgo Dog'",
        ),
        (lambda folder: folder.rename(folder.with_name("pics")), "mypics not found"),
        (lambda folder: fill(folder / "train", 2), "has train/ and no test/"),
    ],
    ids=["empty class", "unknown class", "no folder", "no test"],
)
def test_what_is_wrong_is_named(spoil, message, flat, folder):
    spoil(folder)
    with pytest.raises(DatasetError, match=message):
        load(flat)


def test_folder_without_class_folders_is_refused(folder, tmp_path):
    touch(folder / "a.jpg")
    with pytest.raises(DatasetError, match="has no class folders"):
        load(tmp_path)


def test_class_that_is_only_tested_is_named(parted, folder):
    fill(folder / "test", 1, ["fox"])
    with pytest.raises(DatasetError, match=r"without a training image: 1 \(fox\)"):
        load(parted)


def test_class_that_is_not_tested_is_taken(parted, folder):
    fill(folder / "train", 5, ["fox"])
    dataset = load(parted)
    assert {item.classname for item in dataset.test} == set(CLASSES)
    assert {(item.label, item.classname) for item in dataset.val} == {(0, "black cat"), (1, "dog"), (3, "hot_dog")}


def test_one_class_has_no_halves(folder, tmp_path):
    fill(folder, 10, ["dog"])
    with pytest.raises(DatasetError, match="need at least two"):
        load(tmp_path, subset="base")


def test_folder_has_to_be_named(tmp_path):
    with pytest.raises(DatasetError, match=r"DATASET\.FOLDER is empty"):
        load(tmp_path, FOLDER="")
