"""What a sweep asks of a place where jobs run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

QUEUED, RUNNING = "QUEUED", "RUNNING"  # states of jobs; any other word says how a job ended


class SweepError(Exception):
    """A sweep that cannot begin or go on; the message says why."""


class Backend(Protocol):
    """This machine, or a cluster. Jobs are submitit's."""

    patience: float  # seconds that a file which another process wrote may take to show up
    poll: float  # seconds between two looks
    at_once: bool  # whether jobs run as soon as they are submitted
    keeps_jobs: bool  # whether jobs go on without the sweep
    how_to_cancel: str  # a sentence, where they do

    def describe(self) -> str:
        """Where jobs run and how many at a time, for the first line."""

    def room(self, live: Sequence[Any]) -> int:
        """How many jobs may be submitted beside those that have not ended."""

    def submit(self, works: Sequence[Any]) -> list[Any]:
        """Submits them together. Raises SweepError where that is refused."""

    def states(self, jobs: Sequence[Any]) -> dict[str, str]:
        """By job number: QUEUED, RUNNING, or how it ended. A job that is left out is as it was."""

    def find(self, folder: Path, number: str) -> Any | None:
        """A job of an earlier sweep, if it has not ended."""

    def cancel(self, jobs: Sequence[Any]) -> None:
        """Has jobs keep their newest epoch and end."""

    def close(self) -> None:
        """Ends what it keeps to start jobs; no more are submitted."""
