"""A SLURM cluster: runs that may start at the same time are submitted together, as one array.

Dependencies are kept by the sweep, which submits a run when its model is there, and not by SLURM's afterok or
aftercorr: with those, a training that fails once leaves its tests waiting for ever, or cancels them, although it is
repeated, and the repetition can be no job of its own, on another node than the one that is broken. The price is that
the sweep has to live until the last submission; where it did not, the next one takes over the jobs in the queue.

So is the bound on jobs at a time: SLURM knows one for an array, and none for several. With a bound, the queue never
holds more of the sweep's jobs than that, waiting ones included.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import submitit
from common.stopping import blocked

from sweeping.backend import QUEUED, RUNNING, SweepError
from sweeping.job import ISOLATED, TrainPy

PROGRAMS = ("sbatch", "srun", "squeue", "scancel", "scontrol")
NAME = "ship-sweep"
LARGEST_ARRAY = 1000  # SLURM's MaxArraySize is 1001 unless a cluster says otherwise
LOOK_EVERY = 10.0  # seconds between two calls of squeue
WAITS = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
RUNS = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
STATES = {**dict.fromkeys(WAITS, QUEUED), **dict.fromkeys(RUNS, RUNNING)}


class Cluster:
    """Submits by sbatch, and looks at files and, by squeue, at the queue: it needs no accounting."""

    # network file systems look anew after a minute for a file that was not there
    patience, poll, at_once, keeps_jobs = 60.0, 1.0, False, True
    how_to_cancel = f"To cancel those of all your sweeps: scancel --me --name={NAME}"

    def __init__(self, folder: Path, most: int | None, minutes: int, timeouts: int, **options: object) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise SweepError(
                f"SLURM is not installed here: {', '.join(missing)} not found. "
                "Start the sweep on a machine from which jobs are submitted, or leave out --executor slurm."
            )
        self.most, self.minutes, self.looked_at = most, minutes, float("-inf")
        self.threads = os.environ.get("OMP_NUM_THREADS") or str(options["cpus"])
        self.queue = self.look()
        self.executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=timeouts)
        self.executor.update_parameters(**self.parameters(**options))

    def close(self) -> None:
        """Nothing of it is on this machine."""

    def parameters(
        self, cpus: int, partition: str | None, gpus: int | None, mem: float | None, further: Mapping[str, object]
    ) -> dict[str, object]:
        """submitit's parameters."""
        return {
            "name": NAME,
            "timeout_min": self.minutes,
            "cpus_per_task": cpus,
            "gpus_per_node": gpus,
            "mem_gb": mem,
            "slurm_partition": partition,
            "slurm_array_parallelism": LARGEST_ARRAY,
            "slurm_signal_delay_s": min(90, 15 * self.minutes),
            "slurm_srun_args": [f"--cpus-per-task={cpus}"],  # which it does not take from sbatch since SLURM 22.05
            "slurm_additional_parameters": {"requeue": True, **further},
        }

    def describe(self) -> str:
        at_once = f"{self.most} at a time, " if self.most else ""
        return f"SLURM, {at_once}{self.minutes} minutes before one is queued again"

    def room(self, live: Sequence[submitit.Job]) -> int:
        return min(LARGEST_ARRAY, self.most - len(live)) if self.most else LARGEST_ARRAY

    def submit(self, works: Sequence[TrainPy]) -> list[submitit.Job]:
        for work in works:
            work.environment = {"OMP_NUM_THREADS": self.threads, "TQDM_DISABLE": "1"}
        try:
            with blocked(*ISOLATED), self.executor.batch():
                jobs = [self.executor.submit(work) for work in works]
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
            raise SweepError(f"SLURM takes no jobs: {error}".strip()) from error
        self.looked_at = float("-inf")
        return jobs

    def states(self, jobs: Sequence[submitit.Job]) -> dict[str, str]:
        if time.monotonic() - self.looked_at < LOOK_EVERY:
            return {}
        try:
            self.queue = self.look()
        except SweepError:  # the controller may be restarting: nothing is known now
            return {}
        finally:
            self.looked_at = time.monotonic()
        # SLURM forgets jobs some minutes after their end
        return {job.job_id: self.queue.get(job.job_id, "ended") for job in jobs}

    def look(self) -> dict[str, str]:
        """State by number, of the sweeps' jobs that SLURM knows. Raises SweepError where it does not answer."""
        command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", f"--name={NAME}"]
        done = subprocess.run([*command, "--format=%i|%T"], capture_output=True, text=True)
        if done.returncode:
            raise SweepError(f"SLURM does not answer: {done.stderr.strip()}")
        states = dict(line.split("|", 1) for line in done.stdout.split())
        return {number: STATES.get(state, state) for number, state in states.items()}

    def find(self, folder: Path, number: str) -> submitit.Job | None:
        return submitit.SlurmJob(folder, number) if self.queue.get(number) in (QUEUED, RUNNING) else None

    def cancel(self, jobs: Sequence[submitit.Job]) -> None:
        subprocess.run(["scancel", *(job.job_id for job in jobs)])
