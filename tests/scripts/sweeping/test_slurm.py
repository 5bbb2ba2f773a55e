"""What a sweep asks of SLURM, with processes of this machine in the place of a cluster's jobs."""

from contextlib import closing
from functools import partial

import pytest
import submitit
from sweeping import slurm
from sweeping.driver import Sweep
from sweeping.folders import SweepFolder
from sweeping.slurm import Cluster
from sweeping.tasks import WITH_JOB, State, tasks_of
from sweeping.view import View

from tests.scripts.stub_runs import StubRun, stub_run

OPTIONS = {"cpus": 1, "partition": None, "gpus": None, "mem": None, "further": {}}

pytestmark = pytest.mark.usefixtures("foreground_signals")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster that runs what it gets at once, asked for at most so many jobs."""
    on_this_machine = partial(submitit.AutoExecutor, cluster="local")
    monkeypatch.setattr(
        slurm.submitit, "AutoExecutor", lambda folder, cluster, **rest: on_this_machine(folder, **rest)
    )
    monkeypatch.setattr(slurm.shutil, "which", str)
    monkeypatch.setattr(Cluster, "look", lambda self: {})
    monkeypatch.setattr(Cluster, "states", lambda self, jobs: {})  # the results alone say how jobs are
    monkeypatch.setattr(Cluster, "poll", 0.05)
    return lambda most: Cluster(tmp_path / "sweep/jobs", most, 1, 1, **OPTIONS)


def most_in_queue(runs: list[StubRun], cluster: Cluster, monkeypatch, tmp_path) -> list[int]:
    """Sweeps; gives how many jobs were submitted and not known to have ended, after each submission."""
    tasks, folder, counts, submit = tasks_of(runs), SweepFolder(tmp_path), [], cluster.submit

    def counted(works: list) -> list:
        before = sum(task.state in WITH_JOB for task in tasks)
        jobs = submit(works)
        counts.append(before + len(jobs))
        return jobs

    monkeypatch.setattr(cluster, "submit", counted)
    with closing(cluster), folder.locked():
        Sweep(tasks, cluster, folder, View(tasks)).go()
    assert [task.state for task in tasks] == [State.DONE] * len(runs)
    return counts


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (None, 2)])
def test_jobs_bounds_trainings_and_tests_together(most, expected, cluster, monkeypatch, tmp_path):
    trained = [stub_run(tmp_path, name) for name in ("first", "second")]
    tests = [stub_run(tmp_path, f"test_{run.recipe.name}", model=run) for run in trained]
    counts = most_in_queue([*trained, *tests], cluster(most), monkeypatch, tmp_path)
    assert counts[0] == max(counts) == expected


def test_an_array_is_as_large_as_slurm_takes_and_has_no_bound_of_its_own(cluster):
    assert cluster(None).room([]) == cluster(5000).room([]) == slurm.LARGEST_ARRAY
    assert [cluster(3).room(["a job"] * live) for live in (0, 2, 3, 4)] == [3, 1, 0, -1]
    assert cluster(3).parameters(**OPTIONS)["slurm_array_parallelism"] == slurm.LARGEST_ARRAY


def test_first_line_says_the_bound(cluster):
    assert cluster(3).describe() == "SLURM, 3 at a time, 1 minutes before one is queued again"
    assert cluster(None).describe() == "SLURM, 1 minutes before one is queued again"
