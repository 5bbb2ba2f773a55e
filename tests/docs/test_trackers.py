"""The lines for trackers: each sets its tracker up, then runs train.py."""

import runpy
import shlex
import sys
from unittest.mock import MagicMock, call

import pytest

from tests.conftest import CHECKOUT

from .pages import commands

LINES = [shlex.split(line) for line in commands(CHECKOUT / "docs/plots.md") if line.startswith("python -c")]
TRACKERS = ("wandb", "mlflow", "clearml")  # in the page's order
CALLS = {
    "wandb": [call.init(project="ship", sync_tensorboard=True)],
    "mlflow": [call.pytorch.autolog(log_every_n_step=1), call.start_run()],
    "clearml": [call.Task.init("ship", "shapes")],
}


def test_there_is_a_line_for_each_tracker():
    assert [f"{name};" in line[2] for name, line in zip(TRACKERS, LINES, strict=True)] == [True] * 3


@pytest.mark.parametrize(("name", "line"), list(zip(TRACKERS, LINES, strict=True)), ids=TRACKERS)
def test_training_runs_once_the_tracker_is_set_up(name, line, monkeypatch):
    told, tracker = MagicMock(), MagicMock()
    told.attach_mock(tracker, "tracker")
    monkeypatch.setitem(sys.modules, name, tracker)
    monkeypatch.setattr(runpy, "run_path", told.run_path)
    (code,) = line[2:]
    exec(compile(code, "line", "exec"), {})
    assert tracker.mock_calls == CALLS[name]
    assert told.mock_calls[-1] == call.run_path("train.py", run_name="__main__")
    assert (CHECKOUT / "train.py").is_file()
