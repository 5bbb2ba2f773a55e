"""The note on a posterior that has collapsed."""

import pytest

from trainers.blocks.synthesis.collapse import CollapseWatch


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        ([0.001] * 4, 0),
        ([0.001] * 5, 1),
        ([0.001] * 20, 1),
        ([0.001] * 4 + [0.01] + [0.001] * 4, 0),  # not in a row
        ([0.001] * 5 + [1.0] + [0.001] * 5, 1),  # said once
        ([3.0] * 3 + [0.0] * 5, 1),
    ],
)
def test_collapse_is_said_once_after_five_epochs_in_a_row(values, notes, capsys):
    watch = CollapseWatch()
    for value in values:
        watch.epoch(value)
    assert capsys.readouterr().out.count("the posterior has collapsed") == notes


def test_note_names_the_keys_that_help(capsys):
    watch = CollapseWatch()
    for _ in range(5):
        watch.epoch(0.0)
    out = capsys.readouterr().out
    assert "TRAINER.SHIP.FREE_BITS" in out and "TRAINER.SHIP.KL_WEIGHT" in out
