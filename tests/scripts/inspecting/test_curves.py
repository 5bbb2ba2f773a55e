"""What a page says of how training went."""

from inspecting.curves import last_values


def test_a_stage_that_another_run_has_trained_names_it():
    record = {"training": {"PromptVAE": {"kl": 1.0}, "SHIP": {"loss": 2.0}}, "taken": {"PromptVAE": "/runs/first"}}
    assert last_values(record) == [
        {"stage": "PromptVAE", "values": {"kl": 1.0}, "taken": "/runs/first"},
        {"stage": "SHIP", "values": {"loss": 2.0}, "taken": None},
    ]


def test_a_run_that_trained_nothing_says_nothing():
    assert last_values({}) == []
