"""CUB: readable names, and seen and unseen classes by the user's lists."""

from functools import partial

import pytest

from datasets import DatasetError
from tests.datasets import trees
from tests.datasets.trees import CUB, rows_of, write_lines
from trainers.blocks.clip.prompts import template_of

load = partial(trees.load, "CUB")
NAMES = list(CUB.classes.values())
KEYS = list(CUB.classes)


@pytest.fixture
def root(tmp_path):
    CUB.make(tmp_path)
    return tmp_path


@pytest.fixture
def folder(root):
    return root / "CUB_200_2011"


def test_lists_give_items_labels_and_readable_names(root):
    dataset = load(root)
    assert sorted(rows_of(dataset, [*dataset.train_x, *dataset.val])) == sorted(CUB.rows["train"] + CUB.rows["val"])
    assert rows_of(dataset, dataset.test) == CUB.rows["test"]
    assert dataset.classnames == NAMES
    assert template_of("CUB") == "a photo of a {}."


def test_validation_images_are_a_fifth_of_the_training_images_and_stay_so(root):
    dataset = load(root)
    assert (len(dataset.train_x), len(dataset.val)) == (18, 3)
    again = load(root, seed=2)
    assert rows_of(again, again.val) == rows_of(dataset, dataset.val)


def test_few_shot_samples_are_kept(root):
    drawn, kept = load(root, shots=2), load(root, shots=2)
    assert len(drawn.train_x) == 6
    assert rows_of(kept, kept.train_x) == rows_of(drawn, drawn.train_x)


@pytest.mark.parametrize(
    "lists",
    [
        {"testclasses.txt": KEYS[:1]},
        {"trainvalclasses.txt": KEYS[1:]},
        {"testclasses.txt": KEYS[:1], "trainvalclasses.txt": KEYS[:0:-1]},
    ],
    ids=["unseen", "seen", "both"],
)
def test_unseen_classes_of_the_list_are_new(lists, root, folder, capsys):
    for name, classes in lists.items():
        write_lines(folder / name, classes)
    base, new, whole = (load(root, subset=subset) for subset in ("base", "new", "all"))
    assert (base.classnames, new.classnames, whole.classnames) == (NAMES[1:], NAMES[:1], NAMES)
    assert {item.label for item in base.test} == {0, 1}
    assert "2 seen and 1 unseen classes by the lists" in capsys.readouterr().out


def test_without_a_list_the_halves_stand_in_with_a_notice(root, capsys):
    assert load(root, subset="new").classnames == NAMES[2:]
    assert "no testclasses.txt in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"testclasses.txt": ["006.Least_Auklet"]}, "should name classes of classes.txt; it has 006.Least_Auklet"),
        ({"testclasses.txt": []}, "it has none"),
        ({"testclasses.txt": KEYS[:1], "trainvalclasses.txt": KEYS[:2]}, "do not share out all classes"),
        ({"testclasses.txt": KEYS}, "all classes unseen"),
    ],
    ids=["unknown", "empty", "overlapping", "all unseen"],
)
def test_lists_that_do_not_fit_are_refused(lists, message, root, folder):
    for name, classes in lists.items():
        write_lines(folder / name, classes)
    with pytest.raises(DatasetError, match=message):
        load(root, subset="base")


@pytest.mark.parametrize("name", ["classes.txt", "images.txt", "image_class_labels.txt", "train_test_split.txt"])
@pytest.mark.parametrize("content", [None, "1\n"], ids=["missing", "malformed"])
def test_lists_that_cannot_be_read_are_named(name, content, root, folder):
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    with pytest.raises(DatasetError, match=rf"(?s){name} cannot be read.*scripts/download\.py cub"):
        load(root)


def test_missing_folder_says_where_to_get_it(tmp_path):
    with pytest.raises(DatasetError, match=r"(?s)CUB_200_2011 not found.*scripts/download\.py cub"):
        load(tmp_path)
