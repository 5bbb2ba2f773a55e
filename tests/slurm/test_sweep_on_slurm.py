"""Sweeps on the SLURM that run.sh starts: order, repetition, preemption, stopping, going on; then train.py itself."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
import sweep
from sweeping.driver import Sweep
from sweeping.folders import SweepFolder
from sweeping.tasks import State, tasks_of
from sweeping.view import View

from tests.conftest import CHECKOUT
from tests.scripts.stub_runs import stub_run

if not os.environ.get("SHIP_TEST_SLURM"):
    pytest.skip("needs a SLURM: bash tests/slurm/run.sh starts one", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("foreground_signals")


@pytest.fixture
def sweep_of(tmp_path):
    """A sweep over runs on the cluster, still to go."""

    def prepare(*runs) -> Sweep:
        words = ["--datasets", "shapes", "--output", str(tmp_path), "--executor", "slurm", "--cpus", "1"]
        (args, *_), tasks, folder = sweep.parse_args([*words, "--time", "30"]), tasks_of(runs), SweepFolder(tmp_path)
        folder.path.mkdir(exist_ok=True)
        return Sweep(tasks, sweep.backend(args, folder.jobs, len(runs)), folder, View(tasks))

    return prepare


def states(sweeping: Sweep) -> list[State]:
    """How its tasks have ended, when all have."""
    sweeping.go()
    return [task.state for task in sweeping.tasks]


def stopped_by(sweeping: Sweep) -> int | None:
    sweeping.go()
    return sweeping.stopped_by


def wait_until(happened: Callable[[], object], seconds: int = 300) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def queue(*options: str) -> list[str]:
    """What SLURM has, a line a job."""
    return subprocess.check_output(["squeue", "--noheader", "--array", *options], text=True).splitlines()


def when(happened: Callable[[], object], *command: str) -> threading.Thread:
    """Gives a command once something has happened."""

    def act() -> None:
        wait_until(happened)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_arrays_wait_for_what_they_need_and_failures_are_repeated_once_then_listed(tmp_path, sweep_of, capsys):
    trained, once = stub_run(tmp_path, "training"), stub_run(tmp_path, "once", "--fail", 1)
    always = stub_run(tmp_path, "always", "--fail", 9)
    tests = [stub_run(tmp_path, f"test_{run.recipe.name}", model=run) for run in (trained, once, always)]
    sweeping = sweep_of(trained, once, always, *tests)
    done, failed, not_run = State.DONE, State.FAILED, State.NOT_RUN
    assert states(sweeping) == [done, done, failed, done, done, not_run]
    assert trained.done() == ["start", "epoch 1", "end"]
    assert once.done() == ["start", "start", "epoch 1", "end"]
    assert always.done() == ["start", "start"]
    assert trained.record_path.stat().st_mtime_ns < (tests[0].folder / "journal.txt").stat().st_mtime_ns
    assert sweep.report(sweeping.tasks) == 1
    assert "made to fail" in (tmp_path / "sweep/stubs.always.err").read_text(encoding="utf-8")
    assert "status 3" in capsys.readouterr().err
    assert states(sweep_of(trained, once, *tests[:2])) == [State.COMPLETE] * 4
    assert len(trained.done()) == 3


def test_preempted_run_is_queued_again_and_goes_on(tmp_path, sweep_of):
    run = stub_run(tmp_path, "run", "--epochs", 3, "--wait-at", 2)
    urgent = ("sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    preempting = when(lambda: "epoch 2" in run.journal(), *urgent)
    sweeping = sweep_of(run)
    assert states(sweeping) == [State.DONE]
    preempting.join()
    assert sweeping.tasks[0].attempts == 1
    assert run.done() == ["start", "epoch 1", "epoch 2", "stopped by 15", "start", "epoch 3", "end"]
    log = (tmp_path / "sweep/stubs.run.err").read_text(encoding="utf-8")
    assert "SIGUSR2" in log
    assert "this job is preempted" in log


def test_interrupted_sweep_cancels_its_jobs_and_the_next_goes_on(tmp_path, sweep_of):
    options = ("--epochs", 3, "--wait-at", 2, "--signal-at", 2, int(signal.SIGINT), os.getpid())
    run = stub_run(tmp_path, "run", *options)
    assert stopped_by(sweep_of(run)) == signal.SIGINT
    assert states(sweep_of(run)) == [State.DONE]
    assert run.done() == ["start", "epoch 1", "epoch 2", "stopped by 15", "start", "epoch 3", "end"]


def test_jobs_outlive_a_sweep_that_is_ended_and_the_next_takes_them_over(tmp_path, sweep_of, capsys):
    options = ("--epochs", 3, "--wait-at", 2, "--signal-at", 2, int(signal.SIGTERM), os.getpid())
    run = stub_run(tmp_path, "run", *options)
    assert stopped_by(sweep_of(run)) == signal.SIGTERM
    assert "scancel" in capsys.readouterr().out
    following = sweep_of(run)
    letting_go = when(lambda: following.live, "touch", str(run.folder / "go on"))
    assert states(following) == [State.DONE]
    letting_go.join()
    assert following.tasks[0].attempts == 0
    assert run.done() == ["start", "epoch 1", "epoch 2", "epoch 3", "end"]


def test_what_sbatch_refuses_is_bad_input(tmp_path, capsys):
    words = ["--datasets", "shapes", "--methods", "coop", "--seeds", "1", "--output", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        sweep.main([*words, "--executor", "slurm", "--partition", "nowhere"])
    assert ended.value.code == 2
    assert "invalid partition" in capsys.readouterr().err


def test_train_py_goes_on_after_scontrol_requeue_and_the_table_is_printed(tmp_path):
    words = ["--datasets", "shapes", "--methods", "coop", "--seeds", "1", "--output", str(tmp_path / "out")]
    pairs = ["--set", "OPTIM.MAX_EPOCH", "30", "TRAINER.FEATURES.VIEWS", "1", "DATALOADER.NUM_WORKERS", "0"]
    command = [sys.executable, CHECKOUT / "scripts/sweep.py", *words, "--executor", "slurm", "--cpus", "1", *pairs]
    run = tmp_path / "out/base2new/train_base/shapes/shots_16/CoOp/shapes/seed1"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sweeping:
        wait_until(lambda: list(run.glob("resume/state-*")) or sweeping.poll() is not None)
        (number,) = queue("--format=%i", "--name=ship-sweep", "--states=running")
        subprocess.run(["scontrol", "requeue", number], check=True)
        printed = sweeping.communicate(timeout=300)[0]
    assert sweeping.returncode == 0, printed
    assert "2 of 2 done, 0 failed" in printed
    assert "CoOp" in printed.split("method  ")[1]
    first, second = (path.read_text(encoding="utf-8") for path in sorted(run.glob("log.txt*")))
    reached = int(re.search(r"Stopped by SIGTERM; the same command goes on after epoch (\d+)/30", first)[1])
    assert int(re.search(r"epoch \[(\d+)/30\]", second)[1]) == reached + 1
    assert json.loads((run / "results.json").read_text(encoding="utf-8"))["config"]["OPTIM"]["MAX_EPOCH"] == 30
