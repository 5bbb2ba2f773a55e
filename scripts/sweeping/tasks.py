"""The runs of a sweep: what is complete, what waits for what, how each of them ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from health.plan import check
from protocols.runs import Run, RunError, accuracy, finished, note_failure, print_recipes, training_failed


class State(Enum):
    """Where a run stands: WAITING, then QUEUED and RUNNING with a job, by turns, then one of ENDED."""

    COMPLETE = "complete"  # before the sweep began
    WAITING = "waiting"  # for its model, or for a free place
    QUEUED = "queued"  # by SLURM
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    NOT_RUN = "not run"


WITH_JOB = (State.QUEUED, State.RUNNING)
SUCCEEDED = (State.COMPLETE, State.DONE)
ENDED = (*SUCCEEDED, State.FAILED, State.NOT_RUN)


@dataclass(eq=False)
class Task:
    """One run. `job`: submitit's, in the states WITH_JOB. States change by the methods below alone."""

    run: Run
    needs: "Task | None" = None
    state: State = State.WAITING
    message: str = ""  # the accuracy, or why it failed
    attempts: int = 0
    job: Any = None
    ended_at: float | None = None  # when its job was first seen to have ended

    @property
    def outdated(self) -> bool:
        """Whether what the folder may hold is of a model that this sweep trains anew."""
        return self.needs is not None and self.needs.state is not State.COMPLETE

    @property
    def is_ready(self) -> bool:
        """Whether it is to be submitted."""
        free = self.needs is None or self.needs.state in SUCCEEDED
        return self.state is State.WAITING and free

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for a model that will not come."""
        return self.needs is not None and self.needs.state in (State.FAILED, State.NOT_RUN)

    def submit(self, job: Any, state: State) -> None:
        """It has a job now, in this state."""
        self.job, self.state = job, state
        self.attempts += 1

    def take_over(self, job: Any) -> None:
        """It has the job of an earlier sweep."""
        self.job, self.state = job, State.QUEUED

    def move(self, state: State) -> bool:
        """The job has not ended, and is in this state; whether it was in another."""
        before, self.state, self.ended_at = self.state, state, None
        return state is not before

    def wait_again(self) -> None:
        """The job has ended, and another is to be submitted."""
        self.job, self.state, self.ended_at = None, State.WAITING, None

    def succeed(self, record: dict, state: State = State.DONE) -> None:
        self.job, self.state, self.message = None, state, accuracy(record)

    def fail(self, message: object, state: State = State.FAILED) -> None:
        """Ends it, with a note in its folder from which the table shows it as failed."""
        self.job, self.state, self.message = None, state, str(message)
        note_failure(self.run, message)


def tasks_of(runs: Sequence[Run]) -> list[Task]:
    """One task a run; a run's model comes before it. Writes nothing."""
    by_folder: dict = {}
    for run in runs:
        task = Task(run, by_folder[run.model.folder] if run.model is not None else None)
        try:
            record = finished(run, task.outdated)
            if record is not None:
                task.succeed(record, State.COMPLETE)
        except RunError as error:  # the folder holds another run, complete: there is nothing to note in it
            task.state, task.message = State.FAILED, str(error)
        by_folder[run.folder] = task
    return list(by_folder.values())


def give_up(tasks: Sequence[Task]) -> Iterator[Task]:
    """Ends the tasks whose training did not succeed; gives them."""
    for task in tasks:
        if task.state is State.WAITING and task.is_blocked:
            task.fail(training_failed(task.run), State.NOT_RUN)
            yield task


def plan_lines(tasks: Sequence[Task]) -> Iterator[str]:
    """What a sweep would do, a line a run."""
    numbers = {task: number for number, task in enumerate(tasks, start=1)}
    for task, number in numbers.items():
        action = f"{task.state.value}, {task.message}" if task.state is State.COMPLETE else "to run"
        if task.state is State.FAILED:
            action = f"cannot be run: {task.message}"
        elif action == "to run" and task.outdated:
            action += " not, for want of its model" if task.is_blocked else f" after [{numbers[task.needs]}]"
        yield f"[{number}] {task.run.title}: {action}"
    left = sum(task.state is State.WAITING for task in tasks)
    yield f"{len(tasks)} runs: {sum(task.state is State.COMPLETE for task in tasks)} complete, {left} to run"


def announce(runs: Sequence[Run], dry_run: bool) -> bool:
    """Says which recipes are taken and, for --dry-run, what would run; gives whether the runs are to be made.

    Ends the program where something is missing that those need which are not complete.
    """
    print_recipes(runs)
    tasks = tasks_of(runs)
    if dry_run:
        print("\n".join(plan_lines(tasks)))
    else:
        check([task.run for task in tasks if task.state is State.WAITING])
    return not dry_run
