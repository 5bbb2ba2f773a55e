"""What a step costs beside its arithmetic: numbers read from the device, for each of which a GPU is waited for."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from trainers.blocks.training.feature_trainer import read_at_once

SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "TEST.NO_TEST", True)
READS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default, torch.ops.aten.equal.default)


class Operations(TorchDispatchMode):
    """Counts operations, and those that read a number."""

    def __init__(self) -> None:
        super().__init__()
        self.all = self.reads = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        self.all += 1
        self.reads += operation in READS
        return operation(*arguments, **(options or {}))


def costs(trainer) -> dict[str, list[tuple[int, int]]]:
    """Operations and reads of the loss in each step, by stage."""
    found: dict[str, list[tuple[int, int]]] = {}

    def counted(batch):
        stage = trainer.stage
        with Operations() as operations:
            loss, summary = stage.loss(*batch)
            numbers = read_at_once({"loss": loss, **summary})
        found.setdefault(stage.title, []).append((operations.all, operations.reads))
        trainer.numerics.step(loss, stage.optimizer)
        trainer.bar.update()
        return numbers

    trainer.forward_backward = counted
    trainer.train()
    return found


@pytest.mark.parametrize("per_class", [False, True])
def test_a_step_reads_no_number_but_those_that_are_printed(per_class, ship):
    pairs = ("TRAINER.FEATURES.VIEWS", 1, "TRAINER.COOP.CSC", per_class)
    for steps in costs(ship(*SMALL, *pairs)).values():
        assert {reads for _, reads in steps} == {0}  # these are read as a list, in one go


def test_later_steps_do_not_run_the_sos_again(ship):
    first, *later = [operations for operations, _ in costs(ship(*SMALL, "TRAINER.FEATURES.VIEWS", 1))["PromptVAE"]]
    assert max(later) < first


def test_numbers_are_read_as_they_are_and_in_their_order():
    third = torch.tensor(1 / 3, dtype=torch.float64)
    values = {"loss": third, "acc": torch.tensor([50.0]), "given": 0.1, "active": torch.tensor(3)}
    assert list(read_at_once(values).items()) == [("loss", 1 / 3), ("acc", 50.0), ("given", 0.1), ("active", 3.0)]
    assert read_at_once({"given": 1.0}) == {"given": 1.0}
