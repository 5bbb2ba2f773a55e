"""DATASET.LONGTAIL: training images by class fall to none, in any loader."""

from collections import Counter
from functools import partial

import pytest

from datasets import DatasetError
from datasets.long_tail import zipf_counts
from tests.datasets import trees
from tests.datasets.trees import files

load = partial(trees.load, "OxfordPets", shots=4, LONGTAIL=0.3)


@pytest.mark.parametrize("classes", [2, 3, 10, 50, 1000])
def test_counts_fall_from_the_most_to_none_for_the_share(classes):
    counts = zipf_counts(classes, 16, 0.3)
    assert counts[0] == 16
    assert counts == sorted(counts, reverse=True)
    assert counts.count(0) == pytest.approx(0.3 * classes, abs=1)


def test_with_fifty_classes_the_counts_are_near_zipfs_law():
    assert zipf_counts(50, 16, 0.3)[:6] == [16, 8, 6, 4, 3, 3]


@pytest.mark.parametrize("share", [1e-9, 0.5, 1])
def test_at_least_one_class_has_images_and_at_least_one_has_none(share):
    counts = zipf_counts(6, 4, share)
    assert counts[0] == 4
    assert counts[-1] == 0


def test_images_by_class_are_the_first_of_the_few_shot_sample(pets):
    whole, tail = load(pets, LONGTAIL=0.0), load(pets)
    counts = Counter(item.classname for item in tail.train_x)
    assert sorted(counts.values()) == [1, 1, 2, 4]
    for name, count in counts.items():
        sample = [file for file in files(whole.train_x) if file.startswith(name)]
        assert [file for file in files(tail.train_x) if file.startswith(name)] == sample[:count]
    validation = Counter(item.classname for item in tail.val)
    assert all(validation[name] <= count for name, count in counts.items())
    assert validation.keys() <= counts.keys()
    assert sorted(files(tail.test)) == sorted(files(whole.test))


def test_classes_without_images_are_known_by_name_and_come_last(pets):
    tail = load(pets)
    assert tail.num_classes == 6
    assert tail.label_only == [4, 5]
    assert {item.label for item in tail.train_x} == {0, 1, 2, 3}
    assert all(tail.classnames[item.label] == item.classname for item in (*tail.train_x, *tail.test))


def test_groups_are_by_the_number_of_images(pets):
    tail = load(pets, shots=5)
    counts = Counter(item.label for item in tail.train_x)
    found = {name: sorted(counts[label] for label in labels) for name, labels in tail.groups.items()}
    assert found == {"many": [5], "few": [1, 1, 2], "none": [0, 0]}
    assert tail.groups["none"] == tail.label_only


def test_the_seed_draws_which_classes_have_many_and_none(pets):
    assert len({tuple(sorted({item.classname for item in load(pets, seed=seed).train_x})) for seed in range(9)}) > 1
    first, again = load(pets), load(pets)
    assert files(first.train_x) == files(again.train_x)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"subset": "base"}, "DATASET.LONGTAIL goes with training on all classes"),
        ({"shots": -1}, "NUM_SHOTS -1: all images"),
        ({"LABEL_ONLY": "boxer"}, "leave out DATASET.LABEL_ONLY"),
    ],
)
def test_what_does_not_go_with_it_is_refused(settings, said, pets):
    with pytest.raises(DatasetError, match=said):
        load(pets, **settings)
