"""Numbers about predictions against the same by hand."""

import numpy as np
import pytest
import torch
from inspecting.judging import by_class, calibration, confidence_of, confusions, overall

NAMES = ["cat", "dog", "fox", "owl"]
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])  # no picture of an owl
PREDICTED = np.array([0, 0, 1, 1, 1, 2, 1, 2])


def test_precision_recall_and_f1_are_those_by_hand():
    cat, dog, fox = by_class(LABELS, PREDICTED, NAMES)
    assert (cat["class"], cat["pictures"]) == ("cat", 4)
    assert (cat["accuracy"], cat["precision"]) == (50, 100)  # 2 of 4 are found; 2 of 2 that are said to be cats are
    assert cat["f1"] == pytest.approx(200 / 3)  # 2 · 1 · 0.5 / 1.5
    assert (dog["accuracy"], dog["precision"], dog["f1"]) == (50, 25, pytest.approx(100 / 3))
    assert (fox["accuracy"], fox["precision"], fox["f1"]) == (50, 50, 50)


def test_means_are_over_classes_and_accuracy_over_pictures():
    found = overall(LABELS, PREDICTED, by_class(LABELS, PREDICTED, NAMES))
    assert (found["pictures"], found["correct"], found["accuracy"]) == (8, 4, 50)
    assert found["mean_precision"] == pytest.approx((100 + 25 + 50) / 3)
    assert found["mean_f1"] == pytest.approx((200 / 3 + 100 / 3 + 50) / 3)


def test_the_most_frequent_mistakes_come_first_with_their_pictures():
    first, *others = confusions(LABELS, PREDICTED, NAMES)
    assert (first["class"], first["taken_for"], first["pictures"], first["of"]) == ("cat", "dog", 2, 4)
    assert (first["share"], first["rows"], first["rows_of_other"]) == (50, [2, 3], [4])
    assert {(pair["class"], pair["taken_for"]) for pair in others} == {("dog", "fox"), ("fox", "dog")}


def test_the_calibration_error_weighs_bins_by_their_pictures():
    confidence, right = np.array([0.1, 0.3, 0.9, 0.7]), np.array([False, True, True, False])
    found = calibration(confidence, right, bins=2)
    low, high = found["bins"]
    assert (low["pictures"], low["confidence"], low["accuracy"]) == (2, pytest.approx(20), 50)
    assert (high["from"], high["to"], high["confidence"]) == (50, 100, pytest.approx(80))
    assert found["ece"] == pytest.approx((30 + 30) / 2)
    assert found["confidence"] == pytest.approx(50)


def test_a_confidence_of_one_is_in_the_last_bin():
    assert [one["from"] for one in calibration(np.array([1.0, 0.5]), np.array([True, True]), bins=2)["bins"]] == [50]


def test_confidence_is_the_highest_probability():
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    np.testing.assert_allclose(confidence_of(logits), [0.5, 1 / (1 + np.exp(-2))], rtol=1e-12)
