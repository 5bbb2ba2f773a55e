"""The hint that goes with a misspelt name."""

from trainers.blocks.errors import did_you_mean


def test_the_nearest_name_is_given_in_whatever_case():
    assert did_you_mean("coOp", ["CoOp", "SHIP"]) == " Did you mean CoOp?"
    assert did_you_mean("something else", ["CoOp", "SHIP"]) == ""
