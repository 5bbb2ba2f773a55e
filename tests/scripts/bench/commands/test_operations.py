"""What a step asks the device for beside its arithmetic, counted."""

import json

import pytest
import torch
from bench.commands import operations

SMALL = ("--features", "4", "--classes", "3")
TITLES = ["stage 1", "stage 2 on CoOp", "CoOp with a context for each class"]


def test_each_step_has_its_counts(capsys):
    operations.main([*SMALL, "--json"])
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert list(steps) == TITLES
    for counts in steps.values():
        assert counts["operations"] > 300 and 1 <= counts["reads"] <= 2  # of labels, and of the numbers of a line
    operations.main(SMALL)
    printed = capsys.readouterr().out
    assert all(title in printed for title in TITLES)


def test_a_context_for_each_class_needs_no_copies_once_its_first_step_is_taken(capsys):
    operations.main([*SMALL, "--json"])
    assert json.loads(capsys.readouterr().out)["steps"][TITLES[2]]["copies"] == 0


def test_what_waits_for_a_gpu_is_counted():
    values = torch.ones(3, requires_grad=True)

    def loss(*more) -> torch.Tensor:
        return sum((values.sum(), *more))

    plain = operations.counted(loss)
    assert (plain.reads, plain.copies) == (1, 0)
    asked = operations.counted(lambda: loss(values.max().item(), values.detach().cpu().to(torch.device("cpu")).sum()))
    assert (asked.reads, asked.copies) == (3, 1) and asked.operations > plain.operations


def test_bad_arguments_get_a_message(capsys):
    with pytest.raises(SystemExit) as ended:
        operations.main(["--classes", "1"])
    assert ended.value.code == 2 and "at least 2" in capsys.readouterr().err
