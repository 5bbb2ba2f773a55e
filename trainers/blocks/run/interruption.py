"""Signals that ask a run to stop: it finishes the step that it is in, and its exit status says which one it was."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stopped(SystemExit):
    """Ends the program with 128 + the signal's number, as shells report it: 130 for SIGINT, 143 for SIGTERM.

    `told`: whether the user has been told.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name, self.told = signal.Signals(number).name, False

    def tell(self, what_next: str) -> None:
        """Prints, once, that the run has been stopped, and what the same command does."""
        if not self.told:
            print(f"Stopped by {self.name}; the same command {what_next}")
            self.told = True


class StopSignals:
    """While entered, SIGINT and SIGTERM raise Stopped: at once or, inside `postponed`, where `check` is called.

    A second signal does not wait. Signals that the process ignores stay ignored.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self._postponed = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        self._process, self.pending = os.getpid(), None
        if threading.current_thread() is threading.main_thread():  # Python allows handlers in no other
            for number in STOPPING:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a loader's worker, which inherits this: its parent ends it
            return
        again, self.pending = self.pending is not None, number
        if again or not self._postponed:
            raise Stopped(number)

    def check(self) -> None:
        if self.pending is not None:
            raise Stopped(self.pending)

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Lets what is inside go on until it calls `check`, or ends."""
        self._postponed = True
        try:
            yield
        except Exception as error:
            if self.pending is None:
                raise
            raise Stopped(self.pending) from error  # such as loader workers that got the signal too
        finally:
            self._postponed = False
        self.check()
