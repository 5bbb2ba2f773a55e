"""What methods keep by class: rows are found for any classes, and their places made once."""

import torch

from trainers.blocks.methods.kept import ClassWeights
from trainers.blocks.run.classes import Classes

CPU = torch.device("cpu")


def weights_of(*names: str) -> ClassWeights:
    kept = ClassWeights(2)
    kept.fill(names, weight=torch.arange(2.0 * len(names)).view(-1, 2) + 1)
    return kept


def test_rows_are_those_of_the_classes_and_zeros_of_strangers():
    (rows,) = weights_of("a", "b", "c").among(["c", "stranger", "a"])
    assert rows.tolist() == [[5, 6], [0, 0], [1, 2]]
    rows.sum().backward()


def test_gradients_reach_the_rows_that_are_asked_for():
    kept = weights_of("a", "b", "c")
    kept.among(["c", "stranger"])[0].sum().backward()
    assert kept.weight.grad.tolist() == [[0, 0], [0, 0], [1, 1]]


def test_places_are_made_once_for_the_same_classes_and_anew_for_other_owners(monkeypatch):
    kept, asked = weights_of("a", "b"), []
    find = Classes.find
    monkeypatch.setattr(Classes, "find", lambda self, others: asked.append(others) or find(self, others))
    for _ in range(3):
        assert kept.places(["b", "x"], CPU).tolist() == [1, -1]
    assert len(asked) == 1
    kept.fill(["b", "a"], weight=torch.zeros(2, 2))
    assert kept.places(["b", "x"], CPU).tolist() == [0, -1]
    kept.set_extra_state(Classes(("x", "b")).as_plain())
    assert kept.places(["b", "x"], CPU).tolist() == [1, 0]
