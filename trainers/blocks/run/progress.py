"""Progress: a bar on a terminal, with lines that do not tear it; elsewhere a plain line every few percent."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from tqdm import tqdm

PERCENT = 5  # between two plain lines
SECONDS = 5  # between them, at least: what is quick needs none


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


class PlainLines:
    """Stands in for the bar where output is no terminal: prints lines such as `CoOp: 35%, 01:10 left`."""

    def __init__(self, total: int, title: str, start: int = 0) -> None:
        self.total, self.title, self.start, self.done = total, title, start, start
        self.began = self.printed = time.monotonic()
        self.next = self.after(start)

    def after(self, done: int) -> int:
        """The percentage of the next line."""
        return (100 * done // self.total // PERCENT + 1) * PERCENT if self.total else 100

    def update(self, steps: int = 1) -> None:
        self.done += steps
        now = time.monotonic()
        if 100 * self.done < self.next * self.total or not self.total or now - self.printed < SECONDS:
            return
        left = (now - self.began) / (self.done - self.start) * (self.total - self.done)
        print(f"{self.title}: {100 * self.done // self.total}%, {tqdm.format_interval(left)} left", flush=True)
        self.printed, self.next = now, self.after(self.done)

    def set_postfix(self, **shown: object) -> None:
        """What a bar shows behind its numbers; lines of training have it."""


@contextmanager
def progress(total: int, title: str, start: int = 0, **looks: object) -> Iterator[tqdm | PlainLines]:
    """A bar of `total` steps on standard error; where that is no terminal, plain lines on standard output.

    `looks` go to the bar, such as a unit.
    """
    with tqdm(total=total, desc=title, initial=start, leave=False, disable=None, dynamic_ncols=True, **looks) as bar:
        if bar.disable:
            yield PlainLines(total, title, start)
        else:
            with redirect_stdout(_AboveBar(sys.stdout, bar)):
                yield bar
