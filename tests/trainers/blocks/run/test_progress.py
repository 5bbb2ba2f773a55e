"""Progress bars on a terminal, and plain lines elsewhere."""

import io
import itertools
import re

import pytest

from trainers.blocks.run import progress as module
from trainers.blocks.run.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def slow(monkeypatch):
    """A clock that goes on by ten seconds whenever it is read."""
    ticks = itertools.count(0, 10)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))


def test_quick_steps_print_nothing_where_output_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(module.time, "monotonic", lambda: 0.0)
    with progress(2, "stage") as bar:
        print("a line")
        bar.set_postfix(loss="1.0", refresh=False)
        bar.update()
    assert capsys.readouterr() == ("a line\n", "")


def test_plain_line_comes_every_few_percent_where_output_is_no_terminal(capsys, slow):
    with progress(200, "features, test") as bar:
        for _ in range(200):
            bar.update()
    out, error = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 20
    assert lines[0] == "features, test: 5%, 31:40 left"
    assert lines[-1] == "features, test: 100%, 00:00 left"
    assert error == "" and "\r" not in out


def test_plain_lines_of_few_steps_are_one_for_each(capsys, slow):
    with progress(3, "stage") as bar:
        for _ in range(3):
            bar.update()
    assert re.findall(r"stage: (\d+)%", capsys.readouterr().out) == ["33", "66", "100"]


def test_plain_lines_of_a_resumed_stage_count_what_was_done_before(capsys, slow):
    with progress(10, "stage", start=5) as bar:
        bar.update()
    assert capsys.readouterr().out == "stage: 60%, 00:40 left\n"


def test_nothing_is_printed_of_what_has_no_length(capsys, slow):
    with progress(0, "stage") as bar:
        bar.update(7)
    assert capsys.readouterr().out == ""


def test_lines_are_printed_whole_and_the_bar_is_not_among_them(monkeypatch):
    error, out = Terminal(), Terminal()
    monkeypatch.setattr("sys.stderr", error)
    monkeypatch.setattr("sys.stdout", out)
    with progress(2, "stage") as bar:
        print("a", "line")
        bar.update()
    assert "stage" in error.getvalue()
    assert out.getvalue() == "a line\n"
