"""Numbers about synthesized features against the same by hand, on a few features in the plane."""

import pytest
import torch
from inspecting.opened import Pictures
from inspecting.synthesis import Synthesized, class_distances, contact_sheet, nearest_pictures

from trainers.blocks.run.classes import Classes

REAL = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-0.6, 0.8]])  # two of the base class, two of the new one
MADE = torch.tensor([[0.8, 0.6], [0.8, 0.6], [0.0, 1.0], [1.0, 0.0]])
LABELS = torch.tensor([0, 0, 1, 1])


@pytest.fixture
def made() -> Synthesized:
    return Synthesized(Classes(("cat", "dog")), 1, MADE, LABELS)


@pytest.fixture
def pictures() -> Pictures:
    return Pictures(REAL, LABELS, ["a", "b", "c", "d"])


def test_distances_of_means_and_covariances_are_those_by_hand(made, pictures):
    found = class_distances(made, pictures, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    cat, dog = found["by_class"]
    assert (cat["class"], cat["part"], dog["class"], dog["part"]) == ("cat", "base", "dog", "new")
    # cat: real mean (0.8, 0.4), synthesized mean (0.8, 0.6), template (1, 0); no synthesized spread
    assert (cat["mean"], cat["template"]) == (pytest.approx(0.2), pytest.approx((0.04 + 0.16) ** 0.5))
    assert (cat["covariance"], cat["variance"]) == (pytest.approx(1), pytest.approx(0))
    # dog: real mean (−0.3, 0.9), covariance ((0.09, 0.03), (0.03, 0.01)); synthesized ((0.25, −0.25), (−0.25, 0.25))
    assert dog["mean"] == pytest.approx((0.8**2 + 0.4**2) ** 0.5)
    assert dog["variance"] == pytest.approx(0.5 / 0.1)
    apart = (0.16**2 + 2 * 0.28**2 + 0.24**2) ** 0.5
    assert dog["covariance"] == pytest.approx(apart / 0.1, rel=1e-5)
    assert found["means"]["new"]["mean"] == pytest.approx(dog["mean"])


def test_a_class_with_one_picture_has_no_covariance(made, pictures):
    (row,) = class_distances(made, pictures.of(torch.tensor([3])), torch.eye(2))["by_class"]
    assert (row["pictures"], row["covariance"], row["variance"]) == (1, None, None)


def test_the_nearest_picture_is_that_of_the_highest_cosine(made, pictures):
    assert nearest_pictures(MADE, pictures).tolist() == [1, 1, 2, 0]
    sheet = contact_sheet(made, pictures)
    (row,) = sheet["rows"]  # of new classes, where there are some
    assert row["class"] == "dog"
    assert [(one["path"], one["class"]) for one in row["pictures"]] == [("c", "dog"), ("a", "cat")]
    assert (sheet["own_class"], sheet["features"]) == (50, 2)
