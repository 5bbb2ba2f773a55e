"""This machine: a few jobs at a time, which share its cores and its GPUs."""

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import submitit
from common.stopping import blocked
from common.warm import WarmProcess

from sweeping.backend import RUNNING
from sweeping.job import ISOLATED, TrainPy, changed_environment

FOREVER = 60 * 24 * 365  # minutes; submitit's default ends a job after two


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """The GPUs that CUDA may use, each as CUDA_VISIBLE_DEVICES names it."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True).stdout
    return [str(index) for index, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


class LocalMachine:
    """Up to `jobs` processes; by default one a GPU or, without GPUs, one a core, but no more than there are runs."""

    patience, poll, at_once, keeps_jobs, how_to_cancel = 0.0, 0.05, True, False, ""

    def __init__(self, folder: Path, jobs: int | None, runs: int) -> None:
        self.folder, self.numbers = folder, itertools.count(1)
        self.gpus = gpus()
        self.jobs = jobs or max(1, min(len(self.gpus) or cores(), runs))
        self.places: dict[str, int] = {}  # by job
        self.warm = WarmProcess(changed_environment(self.environment(0)))

    def describe(self) -> str:
        threads, shared = self.environment(0)["OMP_NUM_THREADS"], f", {len(self.gpus)} GPUs" if self.gpus else ""
        return f"this machine, {self.jobs} at a time, OMP_NUM_THREADS={threads} for each{shared}"

    def environment(self, place: int) -> dict[str, str | None]:
        """What a job's train.py gets: its share of the cores, and the GPU of its place."""
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // self.jobs))
        # said again, as submitit hides all GPUs from jobs that ask for none
        visible = self.gpus[place % len(self.gpus)] if self.gpus else os.environ.get("CUDA_VISIBLE_DEVICES")
        return {"OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": visible, "TQDM_DISABLE": "1"}

    def room(self, live: Sequence[submitit.Job]) -> int:
        self.places = {job.job_id: self.places[job.job_id] for job in live}
        return self.jobs - len(live)

    def submit(self, works: Sequence[TrainPy]) -> list[submitit.Job]:
        return [self.start(work) for work in works]

    def start(self, work: TrainPy) -> submitit.Job:
        place = min(set(range(self.jobs)) - set(self.places.values()))
        work.environment, work.driver = self.environment(place), os.getpid()
        with blocked(*ISOLATED):
            work.address = self.warm.address
        # a folder each: jobs are numbered by their processes, and such a number may come again
        executor = submitit.AutoExecutor(self.folder / str(next(self.numbers)), cluster="local")
        executor.update_parameters(timeout_min=FOREVER)
        with blocked(*ISOLATED):
            job = executor.submit(work)
        self.places[job.job_id] = place
        return job

    def states(self, jobs: Sequence[submitit.Job]) -> dict[str, str]:
        return {job.job_id: "ended" if job.done() else RUNNING for job in jobs}

    def find(self, folder: Path, number: str) -> None:
        """None: jobs end with their sweep here."""

    def close(self) -> None:
        self.warm.close()

    def cancel(self, jobs: Sequence[submitit.Job]) -> None:
        for job in jobs:
            if not job.done():
                os.kill(int(job.job_id), signal.SIGTERM)
