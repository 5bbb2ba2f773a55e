"""The memory benchmark takes a step."""

from bench.commands.memory import measure


def test_a_measurement_says_what_was_measured():
    row = measure(classes=3, context=2, chunk=0, batch=2)
    assert (row["classes"], row["context"], row["chunk"]) == (3, 2, 0)
    assert row["model and names, GB"] > 0
