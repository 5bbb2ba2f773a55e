"""Figures of generalized zero-shot evaluation, and the penalty on seen classes, against values by hand."""

import pytest
import torch

from trainers.blocks.training import gzsl

SEEN = torch.tensor([True, False, True, False])


def test_figures_are_averaged_per_class_over_seen_and_unseen():
    labels = torch.tensor([0, 0, 0, 0, 2, 1, 1, 3])
    predicted = torch.tensor([0, 0, 0, 1, 0, 1, 0, 3])
    found = gzsl.figures(predicted, labels, SEEN)
    assert found["seen"] == pytest.approx((75 + 0) / 2)
    assert found["unseen"] == pytest.approx((50 + 100) / 2)
    assert found["harmonic"] == pytest.approx(2 * 37.5 * 75 / (37.5 + 75))


def test_class_without_images_does_not_count():
    found = gzsl.figures(torch.tensor([0, 1]), torch.tensor([0, 1]), SEEN)
    assert (found["seen"], found["unseen"]) == (100, 100)


def test_nothing_right_gives_a_harmonic_mean_of_0():
    assert gzsl.figures(torch.tensor([1, 0]), torch.tensor([0, 1]), SEEN)["harmonic"] == 0


def test_penalty_is_the_largest_whose_cost_is_allowed():
    """Images of classes 0 and 2 that lead the unseen classes by 1, 2, 3 and 4."""
    logits = torch.tensor([[1.0, 0, -9, 0], [-9, 0, 2, 0], [3, 0, -9, -1], [-9, -1, 4, 0]])
    labels = torch.tensor([0, 2, 0, 2])
    for cost, lead in ((0.0, 1.0), (25.0, 2.0), (60.0, 3.0), (100.0, 4.0)):
        chosen = gzsl.penalty(logits, labels, SEEN, cost)
        assert lead - 4 / gzsl.STEPS * 1.01 <= chosen <= lead
        kept = (logits - chosen * SEEN).argmax(dim=1) == labels
        assert 100 * (1 - kept.float().mean()) <= cost


def test_penalty_does_not_count_images_that_are_wrong_anyway():
    logits = torch.tensor([[1.0, 0, 5, 0], [5, 0, 0, 0]])  # the first is taken for class 2
    assert gzsl.penalty(logits, torch.tensor([0, 0]), SEEN, 0.0) == pytest.approx(5.0)


def test_image_that_is_wrong_anyway_costs_nothing_where_it_is_lost_first():
    logits = torch.tensor([[1.0, 0, 2, 0], [5, 0, 0, 0]])  # the first is taken for class 2
    assert gzsl.penalty(logits, torch.tensor([0, 0]), SEEN, 0.0) == pytest.approx(5.0)


def test_penalty_is_0_where_unseen_classes_win_already():
    assert gzsl.penalty(torch.tensor([[1.0, 2, 0, 0]]), torch.tensor([0]), SEEN, 10.0) == 0


def test_best_penalty_has_the_highest_harmonic_mean():
    """Seen classes lead by 1, 2 and 6 where the image is of one, by 1.5 and 3 where it is of an unseen class."""
    logits = torch.tensor([[1.0, 0, 0, -1], [2, 0, 0, 0], [0, 0, 6, 0], [1.5, 0, 0, -1], [3, -1, 0, 0]])
    labels = torch.tensor([0, 0, 2, 1, 3])
    chosen = gzsl.best_penalty(logits, labels, SEEN)
    assert 3.0 < chosen < 6.0  # class 2 seen, both unseen: 50 and 100; below 1.5: 100 and 0; below 2: 75 and 50
    found = gzsl.figures((logits - chosen * SEEN).argmax(dim=1), labels, SEEN)
    assert (found["seen"], found["unseen"]) == (50, 100)
    by_hand = max(
        gzsl.figures((logits - one * SEEN).argmax(dim=1), labels, SEEN)["harmonic"]
        for one in (0, 1.2, 1.7, 2.5, 4, 7)
    )
    assert found["harmonic"] == by_hand


def test_best_penalty_is_taken_off_and_leaves_unseen_classes_as_they_are():
    """Between 1, where the image of an unseen class is lost, and 5; far from the middle of what leads there are."""
    logits = torch.tensor([[6.0, 0, 0, 1], [3, 0, 0, 2], [60, 0, 0, 10]])
    assert 1 < gzsl.best_penalty(logits, torch.tensor([0, 3, 0]), SEEN) < 5


def test_best_penalty_may_be_negative():
    logits = torch.tensor([[0.0, 3, -9, -9], [0, 3, -9, -9], [0, 9, -9, -9]])
    assert -9 < gzsl.best_penalty(logits, torch.tensor([0, 0, 1]), SEEN) < -3
