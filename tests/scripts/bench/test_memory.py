"""The peak of memory of a part of a process."""

import os
import sys
from pathlib import Path

import pytest
import torch
from bench.memory import usage_of, with_peak


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


def test_a_commands_usage_is_its_own():
    script = "import sys; data = bytearray(200_000_000); print('made', file=sys.stderr); sys.exit(3)"
    held = bytearray(600_000_000)  # of the one that starts it, which does not count
    held[:: 2**12] = b"x" * len(held[:: 2**12])
    status, output, usage = usage_of([sys.executable, "-c", script], os.environ)
    assert (status, output) == (3, "made\n")
    assert 0.19 < usage.gigabytes < 0.4
    assert usage.seconds > 0


def test_a_command_that_a_signal_ends_has_the_status_of_a_shell():
    status, _, _ = usage_of([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], os.environ)
    assert status == 128 + 9
