"""DATASET.LABEL_ONLY: classes of which only the names are known, in any loader."""

from functools import partial

import pytest
from dassl.data.datasets import Datum

from datasets import DatasetError, label_only
from datasets.label_only import names_in, split_classes
from tests.datasets import trees
from tests.datasets.trees import files

load = partial(trees.load, "OxfordPets")
NAMES = ["abyssinian", "bengal", "birman", "bombay", "beagle", "boxer"]


def test_named_classes_keep_their_test_images_alone_and_come_last(pets):
    whole, dataset = load(pets), load(pets, LABEL_ONLY="Beagle, bengal, red fox")
    assert dataset.classnames == ["abyssinian", "birman", "bombay", "boxer", "bengal", "beagle", "red fox"]
    assert (dataset.num_classes, dataset.label_only) == (7, [4, 5, 6])
    assert {item.classname for item in (*dataset.train_x, *dataset.val)} == set(dataset.classnames[:4])
    assert {item.label for item in dataset.train_x} == {0, 1, 2, 3}
    assert sorted(files(dataset.test)) == sorted(files(whole.test))
    assert all(dataset.classnames[item.label] == item.classname for item in (*dataset.train_x, *dataset.test))
    assert dataset.class_ids == ["0", "2", "3", "5", "1", "4", "name red fox"]


def test_the_other_classes_have_the_sample_that_they_have_without_it(pets):
    whole, dataset = (load(pets, shots=2, LABEL_ONLY=names) for names in ("", "boxer"))
    assert files(dataset.train_x) == [file for file in files(whole.train_x) if not file.startswith("boxer")]


def test_names_that_are_no_class_leave_labels_as_they_are(pets):
    whole, dataset = load(pets), load(pets, LABEL_ONLY="red fox")
    assert dataset.classnames == [*NAMES, "red fox"]
    assert [item.label for item in dataset.test] == [item.label for item in whole.test]


def test_a_file_has_a_name_in_each_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("red  fox\n\n grey_wolf \n")
    assert names_in(str(path)) == ["red fox", "grey_wolf"]
    assert names_in("red fox,grey wolf, ") == ["red fox", "grey wolf"]
    assert len(names_in(",".join(f"class {n}" for n in range(200)))) == 200  # no file has so long a name


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (" , ", "has no class names"),
        ("nowhere.txt", "nowhere.txt cannot be read"),
        ("red fox, Red_fox", "names a class twice: Red_fox, red fox"),
        (",".join(NAMES), "names all classes"),
    ],
)
def test_names_that_cannot_be_used_are_refused(names, said, pets):
    with pytest.raises(DatasetError, match=f"DATASET.LABEL_ONLY.*{said}"):
        load(pets, LABEL_ONLY=names)


def test_it_goes_with_all_classes(pets):
    with pytest.raises(DatasetError, match="SUBSAMPLE_CLASSES is 'base'"):
        load(pets, LABEL_ONLY="boxer", subset="base")


def test_of_many_names_each_is_read_a_few_times(monkeypatch):
    """Not once for each of the others, which takes minutes with 10,000."""
    read, plain = [], label_only.read_as
    monkeypatch.setattr(label_only, "read_as", lambda name: read.append(name) or plain(name))
    names = [f"class {n}" for n in range(300)]
    assert names_in(",".join(names)) == names
    train = [Datum(label=label, classname=f"known {label}") for label in range(300)]
    assert split_classes(train, names)[2] == names
    assert len(read) <= 2 * 300 + 3 * 300


def test_a_message_about_many_names_has_the_first_few():
    with pytest.raises(DatasetError) as error:
        names_in(",".join(f"{word} {n}" for n in range(300) for word in ("fox", "FOX")))
    assert len(str(error.value)) < 200
