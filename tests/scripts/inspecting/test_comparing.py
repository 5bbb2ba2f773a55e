"""Paired differences of runs against the same by hand."""

import pytest
from inspecting.comparing import compared, paired

from trainers.blocks.errors import InputError


def run(title: str, **by_class: float) -> dict:
    return {"title": title, "folder": title, "by_class": by_class, "left_out": []}


def test_differences_are_paired_by_class():
    found = paired({"cat": 50.0, "dog": 60.0, "fox": 10.0}, {"fox": 10.0, "dog": 50.0, "cat": 70.0})
    assert [(row["class"], row["difference"]) for row in found["by_class"]] == [("cat", 20), ("dog", -10), ("fox", 0)]
    assert found["mean"] == pytest.approx(10 / 3)
    variance = ((20 - 10 / 3) ** 2 + (-10 - 10 / 3) ** 2 + (10 / 3) ** 2) / 2
    assert found["error"] == pytest.approx((variance / 3) ** 0.5)
    assert (found["better"], found["worse"]) == (1, 1)


def test_classes_that_one_run_lacks_are_left_out_and_said():
    found = compared([run("one", cat=1.0, dog=2.0), run("two", dog=4.0)])
    assert [row["class"] for row in found["differences"][0]["by_class"]] == ["dog"]
    assert found["left_out"] == ["two: 1 classes that not both runs were tested on."]
    assert found["differences"][0]["error"] is None


def test_runs_without_a_class_in_common_cannot_be_compared():
    with pytest.raises(InputError, match="no class in common"):
        compared([run("one", cat=1.0), run("two", dog=4.0)])
