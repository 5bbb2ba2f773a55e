"""What a sweep shows while it runs: one live line on a terminal, else a line whenever something happens."""

import sys
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from sweeping.tasks import ENDED, State, Task


class View:
    """Counts and current titles; `quiet`: of lines only those on how a run ended."""

    def __init__(self, tasks: Sequence[Task], quiet: bool = False) -> None:
        self.tasks, self.quiet = tasks, quiet
        self.live = sys.stdout.isatty()
        ended = {"total": len(tasks), "initial": self.ended()}
        self.bar = tqdm(**ended, unit="run", file=sys.stdout, dynamic_ncols=True, disable=not self.live)

    def __enter__(self) -> "View":
        return self

    def __exit__(self, *exception: object) -> None:
        self.refresh()
        self.bar.close()

    def say(self, task: Task, what: str) -> None:
        """Something has happened to a task."""
        failed = task.state in (State.FAILED, State.NOT_RUN)
        text = what if failed else f"{task.run.title}: {what}"
        if not self.quiet or task.state in ENDED:
            self.write(text if self.live else f"{text}  ({self.counts()})")
        self.refresh()

    def write(self, text: str) -> None:
        tqdm.write(text)
        sys.stdout.flush()

    def refresh(self) -> None:
        running = [task.run.title for task in self.tasks if task.state is State.RUNNING]
        self.bar.n = self.ended()
        self.bar.set_postfix_str("; ".join([self.counts(), *running]))

    def ended(self) -> int:
        return sum(task.state in ENDED for task in self.tasks)

    def counts(self) -> str:
        """How many runs wait, run, are done and have failed."""
        count = Counter(task.state for task in self.tasks)
        done, failed = count[State.COMPLETE] + count[State.DONE], count[State.FAILED] + count[State.NOT_RUN]
        waiting, running = count[State.WAITING] + count[State.QUEUED], count[State.RUNNING]
        return f"{waiting} waiting, {running} running, {done} of {len(self.tasks)} done, {failed} failed"
