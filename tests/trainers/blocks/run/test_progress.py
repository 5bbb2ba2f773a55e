"""Progress bars on a terminal and elsewhere."""

import io

from trainers.blocks.run.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_is_silent_where_output_is_no_terminal(monkeypatch):
    error, out = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", error)
    monkeypatch.setattr("sys.stdout", out)
    with progress(2, "stage") as bar:
        print("a line")
        bar.update()
    assert (error.getvalue(), out.getvalue()) == ("", "a line\n")


def test_lines_are_printed_whole_and_the_bar_is_not_among_them(monkeypatch):
    error, out = Terminal(), Terminal()
    monkeypatch.setattr("sys.stderr", error)
    monkeypatch.setattr("sys.stdout", out)
    with progress(2, "stage") as bar:
        print("a", "line")
        bar.update()
    assert "stage" in error.getvalue()
    assert out.getvalue() == "a line\n"
