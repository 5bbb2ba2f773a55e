"""Progress bars that vanish where output is not a terminal, and lines that do not tear them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from tqdm import tqdm


class _AboveBar:
    """A stream whose lines are printed above the bar, each when it is whole."""

    def __init__(self, stream, bar: tqdm) -> None:
        self.stream, self.bar, self.line = stream, bar, ""

    def write(self, text: str) -> int:
        self.line += text
        if self.line.endswith("\n"):
            self.bar.clear()
            self.stream.write(self.line)
            self.stream.flush()
            self.line = ""
            self.bar.refresh()
        return len(text)

    def flush(self) -> None:
        self.stream.flush()


@contextmanager
def progress(total: int, title: str, start: int = 0) -> Iterator[tqdm]:
    """A bar of `total` steps on standard error; silent where that is not a terminal."""
    with tqdm(total=total, desc=title, initial=start, leave=False, disable=None, dynamic_ncols=True) as bar:
        if bar.disable:
            yield bar
        else:
            with redirect_stdout(_AboveBar(sys.stdout, bar)):
                yield bar
