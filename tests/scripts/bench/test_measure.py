"""Two ways must come to the same values."""

import pytest
import torch
from bench.measure import Disagreement, Outcome, check_same

LOGITS = torch.tensor([[1.0, 2.0, 0.0]])


def test_rounding_passes():
    check_same("part", Outcome([1.0, 2.0], LOGITS), Outcome([1.00005, 2.0], LOGITS + 0.0001))


def test_a_prediction_may_be_another_where_both_classes_are_level():
    check_same("part", Outcome(logits=torch.tensor([[2.0, 2.00001]])), Outcome(logits=torch.tensor([[2.00001, 2.0]])))


@pytest.mark.parametrize("loss", [1.001, float("nan")])
def test_other_losses_do_not(loss):
    with pytest.raises(Disagreement, match="part: losses"):
        check_same("part", Outcome([1.0]), Outcome([loss]))


def test_other_predictions_do_not():
    with pytest.raises(Disagreement, match="1 of 1 predictions"):
        check_same("part", Outcome(logits=LOGITS), Outcome(logits=LOGITS.roll(1, 1)))
