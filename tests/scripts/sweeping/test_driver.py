"""What a sweep does with jobs whose node is lost, as a cluster tells it."""

import subprocess
from types import SimpleNamespace

import pytest
from sweeping.driver import Sweep
from sweeping.folders import SweepFolder
from sweeping.tasks import State, tasks_of
from sweeping.view import View

from tests.scripts.stub_runs import stub_run

pytestmark = pytest.mark.usefixtures("foreground_signals")


class Losing:
    """A cluster that loses the nodes of its first jobs, and runs the others when they are submitted."""

    poll, at_once, keeps_jobs, how_to_cancel = 0.0, False, True, ""

    def __init__(self, folder, losses: int) -> None:
        self.folder, self.losses, self.lost, self.count = folder, losses, set(), 0

    @property
    def patience(self) -> float:
        raise AssertionError("there is no file to wait for")

    def room(self, live) -> int:
        return 1

    def submit(self, works) -> list:
        return [self.job(work) for work in works]

    def job(self, work) -> SimpleNamespace:
        self.count += 1
        files = {name: self.folder / f"{self.count}.{name}" for name in ("stderr", "stdout", "result_pickle")}
        if self.count <= self.losses:
            self.lost.add(str(self.count))
            status = None
        else:
            status = subprocess.run(work.command).returncode
            files["result_pickle"].touch()
        calls = {"done": lambda: True, "exception": lambda: None, "result": lambda: status}
        return SimpleNamespace(job_id=str(self.count), paths=SimpleNamespace(**files), **calls)

    def states(self, jobs) -> dict[str, str]:
        return {job.job_id: "NODE_FAIL" for job in jobs if job.job_id in self.lost}


@pytest.mark.parametrize(("losses", "state"), [(1, State.DONE), (2, State.FAILED)])
def test_run_that_is_lost_with_its_node_is_submitted_again_at_once_but_only_once(losses, state, tmp_path):
    tasks, folder = tasks_of([stub_run(tmp_path, "run")]), SweepFolder(tmp_path)
    with folder.locked():
        Sweep(tasks, Losing(tmp_path, losses), folder, View(tasks)).go()
    assert tasks[0].state is state
    assert tasks[0].attempts == 2
    if state is State.FAILED:
        assert "was lost with its node, job 2" in tasks[0].message
