"""The job: one call of train.py, stopped and queued again by submitit's protocol.

It travels by value, and so does what it takes from `common`: the process that runs it finds all in the pickle.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cloudpickle
import submitit
from common import stopping, warm
from common.stopping import blocked
from common.warm import Forked, start

for module in (sys.modules[__name__], stopping, warm):
    cloudpickle.register_pickle_by_value(module)

ISOLATED = (signal.SIGINT, signal.SIGHUP)  # a terminal's go to all its processes; the sweep itself stops its jobs
POLL = 0.05  # seconds
KILLED_WITHIN = 600  # seconds after SIGTERM; SLURM's KillWait and GraceTime are mostly below


@dataclass
class TrainPy:
    """Runs train.py and returns its exit status.

    SIGTERM has it finish its step and keep its epoch, from which it goes on when the job starts again.
    """

    command: Sequence[str]
    over: Sequence[str]  # the command that starts over what is complete
    stale: Path | None = None  # results.json of an older model: while it is there, the run starts over
    environment: Mapping[str, str | None] = field(default_factory=dict)  # None: without the variable
    driver: int | None = None  # the process to outlive by no more than a step
    address: str = ""  # of the warm process that starts it; without one it is a process of its own

    def __call__(self) -> int:
        requeue = getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}")
        received: list[int] = []
        handlers = {
            number: signal.signal(number, lambda number, frame: received.append(number))
            for number in (requeue, signal.SIGTERM)
        }
        with blocked(requeue):  # SLURM sends it to all processes of the job, and train.py would die of it
            child = start(self.chosen(), self.address, self.child_environment(), lambda: received)
        self.wait(child, received)
        status = child.returncode
        deadline = time.monotonic() + KILLED_WITHIN
        while status and received and requeue not in received and on_slurm() and time.monotonic() < deadline:
            time.sleep(POLL)  # whether the job is cancelled or queued again is for SLURM to say, which kills it now
        if status and requeue in received:
            with contextlib.suppress(submitit.core.utils.UncompletedJobError):  # after the last of the time-outs
                handlers[requeue](requeue, None)  # submitit's: queues the job again and ends this process
        return status

    def wait(self, child: subprocess.Popen | Forked, received: Sequence[int]) -> None:
        """Waits for the end of train.py, which it asks once to stop: by a second SIGTERM it would keep nothing."""
        asked = False
        while child.poll() is None:
            if not asked and (received or self.is_alone()):
                asked = True
                if not (on_slurm() and signal.SIGTERM in received):  # which SLURM sends to all processes of the job
                    child.terminate()
            time.sleep(POLL)

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What submitit is to queue again: the same, as train.py goes on by itself."""
        return submitit.helpers.DelayedSubmission(self)

    def chosen(self) -> list[str]:
        return list(self.over if self.stale is not None and self.stale.is_file() else self.command)

    def child_environment(self) -> dict[str, str]:
        return changed_environment(self.environment)

    def is_alone(self) -> bool:
        if self.driver is None:
            return False
        try:
            os.kill(self.driver, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


def changed_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """This process's environment with some variables set, or (None) left out."""
    return {name: value for name, value in {**os.environ, **changes}.items() if value is not None}


def on_slurm() -> bool:
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"
