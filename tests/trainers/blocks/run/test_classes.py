"""Classes: told apart by ids within one list of classes, by names elsewhere."""

import pytest

from trainers.blocks.run.classes import ByClasses, Classes

BASE = Classes(("tench", "crane"), ("0", "134"), "ImageNet")
NEW = Classes(("crane", "wok"), ("517", "909"), "ImageNet")
WHOLE = BASE + NEW


def test_classes_of_one_name_in_one_list_are_found_by_their_ids():
    assert WHOLE.find(NEW) == [2, 3]
    assert BASE.find(WHOLE) == [0, 1, None, None]
    assert NEW.find(BASE) == [None, None]


@pytest.mark.parametrize("other", [("crane", "wok"), Classes(("crane", "wok"), ("0", "1"), "ImageFolder birds")])
def test_classes_of_another_list_or_without_ids_are_found_by_name(other):
    assert NEW.find(other) == [0, 1]
    assert Classes.of(other).find(NEW) == [0, 1]
    assert BASE.find(other) == [1, None]


def test_of_several_with_one_name_and_no_ids_the_first_is_the_first():
    assert WHOLE.find(["crane", "crane", "crane"]) == [1, 2, None]
    assert Classes.of(["crane", "wok", "crane"]).find(WHOLE) == [None, 0, 2, 1]


def test_names_are_made_distinct_where_several_classes_have_one():
    assert WHOLE.distinct() == ["tench", "crane (134)", "crane (517)", "wok"]
    assert Classes.of(["cat", "dog", "cat"]).distinct() == ["cat (0)", "dog", "cat (2)"]


@pytest.mark.parametrize("classes", [WHOLE, NEW, Classes.of(["cat"])])
def test_what_is_stored_is_read_again(classes):
    assert Classes.from_plain(classes.as_plain()) == classes


def test_an_older_record_has_names_alone():
    assert Classes.from_plain({"classnames": ["cat", "dog"]}) == Classes.of(["cat", "dog"])
    assert Classes.of(["cat"]).as_plain() == {"classnames": ["cat"]}


def test_ids_stay_only_where_all_have_them():
    assert (BASE + Classes.of(["cat"])).ids == ()
    assert WHOLE.take([3, 0]) == Classes(("wok", "tench"), ("909", "0"), "ImageNet")
    assert Classes(("cat", "dog"), ("0",), "Pets").ids == ()


def test_what_follows_from_classes_is_made_once_for_each_of_the_newest_lists():
    kept, made = ByClasses(), []
    lists = [Classes((name,)) for name in "abcde"]

    def note(classes: Classes) -> str:
        made.append(classes[0])
        return classes[0].upper()

    assert [kept.of(classes, note) for classes in (*lists[:4], lists[0], ["b"])] == list("ABCDAB")
    assert made == list("abcd")
    kept.of(lists[4], note)
    kept.of(lists[0], note)
    assert made == list("abcdea") and len(kept) == ByClasses.LIMIT
    assert kept.of(Classes(("a",), ("7",), "Letters"), note) == "A" and made[-1] == "a" and len(made) == 7
