"""The peak of memory of a part of a process."""

from pathlib import Path

import pytest
import torch
from bench.memory import with_peak


def test_the_peak_is_that_of_the_action_whatever_came_before():
    before, above = with_peak(lambda: len(torch.ones(50_000_000)))  # 0.2 GB
    count, peak = with_peak(lambda: len(torch.ones(20_000_000)))  # 0.08 GB
    if peak is None:
        pytest.skip("this system does not tell")
    assert (before, count) == (50_000_000, 20_000_000)
    assert 0.07 < peak < 0.15 < above


def test_where_the_system_does_not_tell_there_is_none(monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert with_peak(lambda: 3) == (3, None)
