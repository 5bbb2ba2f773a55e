"""Where a sweep leaves things: in OUTPUT/sweep/jobs/ what submitit writes, in OUTPUT/sweep/ links to the logs."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from protocols.runs import Run

from sweeping.backend import SweepError

ERRORS, PRINTED = ".err", ".out"


class SweepFolder:
    """The folder of one sweep. Jobs of several sweeps never share one: their numbers may be the same."""

    def __init__(self, output: Path) -> None:
        self.output = Path(output).absolute()
        self.path = self.output / "sweep"
        self.jobs = self.path / "jobs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other sweeps out of OUTPUT. Raises SweepError where one is at work."""
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise SweepError(
                f"another sweep is at work in {self.output}; wait for it, stop it, or choose another --output."
            ) from error
        except (OSError, NotImplementedError) as error:
            raise SweepError(f"cannot write or lock {self.path}/.lock: {error}") from error
        try:
            yield
        finally:
            lock.release()

    def link(self, run: Run, suffix: str) -> Path:
        """Named after the run's folder, with dots for slashes: no path in here looks like a run to the tables."""
        parts = Path(run.folder).absolute().relative_to(self.output).parts
        return self.path / (".".join(parts) + suffix)

    def remember(self, run: Run, job: Any) -> None:
        """Points the run's links to the logs of its newest job."""
        for suffix, log in ((ERRORS, job.paths.stderr), (PRINTED, job.paths.stdout)):
            link = self.link(run, suffix)
            fresh = link.with_name(f".{link.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(os.path.relpath(log, link.parent))
            os.replace(fresh, link)

    def newest_job(self, run: Run) -> tuple[Path, str] | None:
        """Folder and number of the job that was last submitted for a run."""
        link = self.link(run, ERRORS)
        if not link.is_symlink():
            return None
        log = self.path / os.readlink(link)
        return log.parent, log.name.removesuffix("_0_log.err")
