"""SIGINT (Ctrl-C) and SIGTERM: they end a command with a line, once the process that it has started has ended."""

from __future__ import annotations  # for the doctor, which an old Python can run

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stopped(SystemExit):
    """Ends the program with 128 + the signal's number, as shells report it; `told`: nothing is left to be said."""

    def __init__(self, number: int, told: bool = False) -> None:
        super().__init__(128 + number)
        self.name, self.told = signal.Signals(number).name, told


def stop(number: int, frame: FrameType | None = None) -> None:
    """The handler of a command that has nothing to finish."""
    raise Stopped(number)


@contextmanager
def handled(handler: Callable[[int, Any], None], numbers: Sequence[int] = STOPPING) -> Iterator[None]:
    """While entered, these signals call `handler`; those that the process ignores, as under nohup, stay ignored."""
    before = {number: signal.getsignal(number) for number in numbers}
    for number, former in before.items():
        if former not in (signal.SIG_IGN, None):
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            if former is not None:
                signal.signal(number, former)


@contextmanager
def blocked(*numbers: int) -> Iterator[None]:
    """Processes that are started in here never see these signals; those sent to this one arrive afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_to_end(start: Callable[[Callable[[], Any]], Any]) -> tuple[int, int | None]:
    """Waits for what `start` starts: its exit status as shells have it, and the signal that came meanwhile.

    `start` gives a process, as subprocess.Popen does; it gets what tells whether a signal has come already.
    SIGINT is not passed on the first time: the terminal, where it comes from, sends it to the command too, and a
    second one would keep train.py from finishing its step. SIGTERM comes to this process alone, and is passed on.
    """
    received: list[int] = []
    child = None

    def receive(number: int, frame: object) -> None:
        received.append(number)
        if child is not None and (number == signal.SIGTERM or len(received) > 1):
            child.send_signal(number)

    with handled(receive):
        child = start(lambda: received)
        if received:  # before there was a child that could be told
            child.terminate()
        status = child.wait()
    return (status if status >= 0 else 128 - status), (received[0] if received else None)
