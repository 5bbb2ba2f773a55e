"""The sweep itself: submits runs whose models are there, follows their jobs, repeats once what fails."""

import signal
import time
from collections.abc import Sequence

from common.stopping import handled
from protocols.runs import Run, RunError, failure, finished, forget_failure

from sweeping.backend import QUEUED, RUNNING, Backend, SweepError
from sweeping.folders import SweepFolder
from sweeping.job import TrainPy
from sweeping.tasks import ENDED, WITH_JOB, State, Task, give_up
from sweeping.view import View

ATTEMPTS = 2
ASK_AGAIN = 60.0  # seconds after which jobs are submitted that the cluster did not take
CANCELLED, PREEMPTED = "CANCELLED", "PREEMPTED"  # how jobs of SLURM end without the run's fault
NODE_FAIL = "NODE_FAIL"  # how they end with their node, where the cluster does not queue them again
LIVE = {QUEUED: State.QUEUED, RUNNING: State.RUNNING}  # by the state of a job that has not ended
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Sweep:
    """Runs tasks on a backend. `stopped_by`: the signal that ended it before its time."""

    def __init__(self, tasks: Sequence[Task], backend: Backend, folder: SweepFolder, view: View) -> None:
        self.tasks, self.backend, self.folder, self.view = tasks, backend, folder, view
        self.signals: list[int] = []
        self.not_before = float("-inf")

    @property
    def stopped_by(self) -> int | None:
        return self.signals[0] if self.signals else None

    @property
    def live(self) -> list[Task]:
        return [task for task in self.tasks if task.state in WITH_JOB]

    def go(self) -> None:
        """Until every task has ended, or a signal comes. Raises SweepError where no job can be submitted at all."""
        with handled(lambda number, frame: self.signals.append(number), STOPPING):
            self.take_over()
            while not self.signals and any(task.state not in ENDED for task in self.tasks):
                self.follow()
                for task in give_up(self.tasks):
                    self.view.say(task, f"not run: {task.message}")
                self.submit()
                self.view.refresh()
                time.sleep(self.backend.poll)
            if self.signals:
                self.stop()

    def take_over(self) -> None:
        """Follows jobs that an earlier sweep submitted and that have not ended."""
        for task in self.tasks:
            newest = self.folder.newest_job(task.run) if task.is_ready else None
            job = self.backend.find(*newest) if newest else None
            if job is not None:
                task.take_over(job)
                self.view.say(task, f"takes over job {job.job_id}")

    def submit(self) -> None:
        """Submits what is ready, as far as there is room."""
        if time.monotonic() < self.not_before:
            return
        live = [task.job for task in self.live]
        ready = [task for task in self.tasks if task.is_ready][: max(0, self.backend.room(live))]
        if not ready:
            return
        for task in ready:
            forget_failure(task.run)
        try:
            jobs = self.backend.submit([work_of(task) for task in ready])
        except SweepError as error:
            if not live:
                raise
            self.view.write(f"{error}\nTrying again in {ASK_AGAIN:.0f} s")
            self.not_before = time.monotonic() + ASK_AGAIN
            return
        for task, job in zip(ready, jobs, strict=True):
            task.submit(job, State.RUNNING if self.backend.at_once else State.QUEUED)
            self.folder.remember(task.run, job)
            self.view.say(task, f"{'started' if self.backend.at_once else 'submitted'} as job {job.job_id}")

    def follow(self) -> None:
        """Looks how the jobs are. Of one that the backend says nothing about, nothing is known now."""
        live = self.live
        states = self.backend.states([task.job for task in live])
        for task in live:
            state = states.get(task.job.job_id)
            if task.job.paths.result_pickle.exists() and task.job.done():
                self.take_result(task)
            elif state in LIVE:
                if task.move(LIVE[state]):
                    self.view.say(task, "runs" if state == RUNNING else "stopped and queued again; it will go on")
            elif state is not None:
                self.do_without_result(task, state)

    def take_result(self, task: Task) -> None:
        """The job's result is the exit status of train.py, unless the job itself failed."""
        status = None if task.job.exception() else task.job.result()
        try:
            record = finished(task.run) if status == 0 else None
        except RunError as other:
            self.end(task, str(other))
            return
        if record is not None:
            task.succeed(record)
            self.view.say(task, task.message)
        elif status is None:
            self.repeat_or_end(task, "could not be run as a job")
        elif status != 0 or self.has_waited(task):  # with status 0, results.json may take a while to show up
            self.repeat_or_end(task, f"failed with status {status}")

    def do_without_result(self, task: Task, state: str) -> None:
        """The job has ended, as the backend's state says, and left no result."""
        job = f"job {task.job.job_id}"
        if state == CANCELLED and task.attempts:
            self.end(task, failure(task.run, f"was cancelled, {job}", task.job.paths.stderr))
        elif state in (CANCELLED, PREEMPTED):  # with an earlier sweep; by the cluster, which says nothing of the run
            task.attempts = max(0, task.attempts - 1)
            self.repeat(task, f"{job} was {state.lower()}")
        elif state == NODE_FAIL:  # counts, as the run may have been why; no file is on its way
            self.repeat_or_end(task, f"was lost with its node, {job}")
        elif self.has_waited(task):
            self.repeat_or_end(task, f"left no result, {job}: {state.lower()}")

    def has_waited(self, task: Task) -> bool:
        """Whether the job's end has been known for as long as files may take to show up."""
        task.ended_at = task.ended_at or time.monotonic()
        return time.monotonic() - task.ended_at >= self.backend.patience

    def repeat_or_end(self, task: Task, how: str) -> None:
        log = task.job.paths.stderr
        if task.attempts < ATTEMPTS:
            self.repeat(task, f"{how}, once more; see {log}")
        else:
            self.end(task, failure(task.run, how, log))

    def repeat(self, task: Task, why: str) -> None:
        task.wait_again()
        self.view.say(task, why)

    def end(self, task: Task, message: str) -> None:
        task.fail(message)
        self.view.say(task, f"failed: {message}")

    def stop(self) -> None:
        """Cancels the jobs; those that go on without the sweep on SIGINT alone, as SIGHUP is a lost connection."""
        jobs = [task.job for task in self.live]
        if self.backend.keeps_jobs and self.stopped_by != signal.SIGINT:
            self.view.write(
                f"The jobs ({len(jobs)}) go on; the same command takes them over. {self.backend.how_to_cancel}"
            )
            return
        self.view.write(f"Stopping the jobs ({len(jobs)}), which finish their step and keep their epoch")
        while jobs and len(self.signals) == 1:
            self.backend.cancel(jobs)
            if self.backend.keeps_jobs:
                return
            time.sleep(self.backend.poll)
            states = self.backend.states(jobs)
            jobs = [job for job in jobs if states[job.job_id] == RUNNING]


def work_of(task: Task) -> TrainPy:
    run: Run = task.run
    return TrainPy(run.command(), run.command(force=True), run.record_path if task.outdated else None)
