"""A sweep, from runs to what failed of them, on this machine or another place."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from common.arguments import positive
from common.errors import fail
from common.stopping import Stopped
from protocols.runs import Run

from sweeping.backend import Backend, SweepError
from sweeping.folders import SweepFolder
from sweeping.tasks import State, Task, tasks_of
from sweeping.view import View

Place = Callable[[Path, int], Backend]  # the folder of its jobs, and how many runs there are


def sweep(runs: Sequence[Run], place: Place, output: Path, quiet: bool) -> list[Task]:
    """Runs what is not complete. Ends the program where it cannot, and with a signal that stopped it."""
    tasks = tasks_of(runs)
    try:
        stopped_by = swept(tasks, place, SweepFolder(output), quiet)
    except SweepError as error:
        fail(error)
    if stopped_by is not None:
        raise Stopped(stopped_by)
    return tasks


def swept(tasks: Sequence[Task], place: Place, folder: SweepFolder, quiet: bool) -> int | None:
    """Runs what waits; gives the signal that stopped it. Raises SweepError."""
    waiting = sum(task.state is State.WAITING for task in tasks)
    if not waiting:
        return None
    try:
        from sweeping.driver import Sweep

        backend = place(folder.jobs, waiting)
    except ImportError as error:
        raise SweepError(
            f"{error}. Runs at a time need submitit: pip install submitit, or pip install '.[sweep]' in the checkout."
        ) from error
    print(f"{waiting} of {len(tasks)} runs on {backend.describe()}; logs in {folder.path}", flush=True)
    with closing(backend), folder.locked(), View(tasks, quiet) as view:
        driver = Sweep(tasks, backend, folder, view)
        driver.go()
    return driver.stopped_by


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """For scripts that make one run after the other unless they are asked to."""
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="runs at a time (1)")


def here(jobs: int | None) -> Place:
    """This machine, so many runs at a time; by default one a GPU, else one a core."""

    def place(folder: Path, runs: int) -> Backend:
        from sweeping.local import LocalMachine

        return LocalMachine(folder, jobs, runs)

    return place


def report(tasks: Sequence[Task]) -> int:
    """Lists what failed; gives the exit status."""
    missing = [task for task in tasks if task.state in (State.FAILED, State.NOT_RUN)]
    for task in missing:
        print(f"{task.state.value}: {task.message}", file=sys.stderr)
    return 1 if missing else 0
