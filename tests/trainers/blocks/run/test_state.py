"""Copies of a run's state, and when it is written."""

import random
from types import SimpleNamespace

import numpy as np
import torch

from trainers.blocks.run import states
from trainers.blocks.run.randomness import stored_random_state
from trainers.blocks.run.state import collect, copied
from trainers.blocks.run.states import StateSaver


def trained_module() -> tuple:
    module = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
    return module, optimizer, scheduler, torch.amp.GradScaler("cpu", enabled=False)


def step(module, optimizer, scheduler, scaler) -> None:
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scheduler.step()


def test_copy_of_a_state_is_equal_to_it_and_stays_while_training_goes_on():
    parts = trained_module()
    step(*parts)
    state = collect(*parts)
    kept = copied(state)
    weight, moment = state["learned"]["weight"].clone(), state["optimizer"]["state"][0]["exp_avg"].clone()
    assert kept.keys() == state.keys() and kept["scheduler"] == state["scheduler"]
    step(*parts)
    assert torch.equal(kept["learned"]["weight"], weight) and not torch.equal(parts[0].weight, weight)
    assert torch.equal(kept["optimizer"]["state"][0]["exp_avg"], moment)
    assert kept["optimizer"]["state"][0]["step"] == 1


def test_copy_has_the_random_numbers_of_then():
    kept = copied({"random": stored_random_state(), "lists": [[1, 2], "a", None]})
    before = stored_random_state()
    random.random(), np.random.rand(), torch.rand(1)
    assert kept["random"]["python"] == before["python"] != random.getstate()
    assert kept["random"]["numpy"] == before["numpy"]
    assert torch.equal(kept["random"]["torch"], before["torch"])
    assert kept["lists"] == [[1, 2], "a", None]


def test_short_epochs_are_written_once_a_second_and_the_last_one_always(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(states, "time", SimpleNamespace(monotonic=lambda: now[0]))
    saver = StateSaver(tmp_path, every=1)
    written = []
    monkeypatch.setattr(saver.folder, "write", lambda saved: written.append(saved.about["epoch"]))
    for epoch in range(1, 9):
        saver.save({"epoch": epoch, "epochs": 8}, {})
        now[0] += 0.3
    assert written == [1, 5, 8]
