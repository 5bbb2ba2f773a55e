"""Sweeps on the SLURM that run.sh starts: order, repetition, preemption, stopping, going on; then nodes that die."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

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

    def prepare(*runs, options: Sequence[str] = ()) -> Sweep:
        words = ["--datasets", "shapes", "--output", str(tmp_path), "--executor", "slurm", "--cpus", "1", *options]
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


def jobs(*states: str) -> list[tuple[str, str]]:
    """Number and node of the sweep's jobs in these states, first submitted first."""
    command = ["squeue", "--noheader", "--array", "--sort=i", "--name=ship-sweep", f"--states={','.join(states)}"]
    listed = subprocess.check_output([*command, "--format=%i %N"], text=True)
    return [tuple(line.split(" ")) for line in listed.splitlines()]


def command(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def kill_node(name: str) -> None:
    """Ends a node and all its processes at once, as a power failure does. It stays dead."""
    os.kill(int(Path(os.environ["SHIP_TEST_SLURM"], f"{name}.process").read_text()), signal.SIGKILL)


def when(happened: Callable[[], object], act: Callable[..., object], *arguments: object) -> threading.Thread:
    """Acts once something has happened."""

    def wait_and_act() -> None:
        wait_until(happened)
        act(*arguments)

    thread = threading.Thread(target=wait_and_act, daemon=True)
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
    urgent = ("sbatch", "--partition=high", "--exclusive", "--nodes=4", "--output=/dev/null", "--wrap=sleep 1")
    preempting = when(lambda: "epoch 2" in run.journal(), command, *urgent)
    sweeping = sweep_of(run)
    assert states(sweeping) == [State.DONE]
    preempting.join()
    assert sweeping.tasks[0].attempts == 1
    assert run.done() == ["start", "epoch 1", "epoch 2", "stopped by 15", "start", "epoch 3", "end"]
    log = (tmp_path / "sweep/stubs.run.err").read_text(encoding="utf-8")
    assert "SIGUSR2" in log
    assert "this job is preempted" in log


def test_interrupted_sweep_cancels_its_jobs_and_the_next_goes_on(tmp_path, sweep_of):
    run = stub_run(tmp_path, "run", "--epochs", 3, "--wait-at", 2)
    when(lambda: "epoch 2" in run.journal(), os.kill, os.getpid(), signal.SIGINT)
    assert stopped_by(sweep_of(run)) == signal.SIGINT
    assert states(sweep_of(run)) == [State.DONE]
    assert run.done() == ["start", "epoch 1", "epoch 2", "stopped by 15", "start", "epoch 3", "end"]


def test_jobs_outlive_a_sweep_that_is_ended_and_the_next_takes_them_over(tmp_path, sweep_of, capsys):
    run = stub_run(tmp_path, "run", "--epochs", 3, "--wait-at", 2)
    when(lambda: "epoch 2" in run.journal(), os.kill, os.getpid(), signal.SIGTERM)
    assert stopped_by(sweep_of(run)) == signal.SIGTERM
    assert "scancel" in capsys.readouterr().out
    following = sweep_of(run)
    letting_go = when(lambda: following.live, (run.folder / "go on").touch)
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


def test_no_more_jobs_are_in_the_queue_than_the_bound_on_the_whole_sweep(tmp_path, sweep_of):
    trained = [stub_run(tmp_path, name, "--wait-at", 1) for name in ("first", "second", "third")]
    runs = [*trained, *(stub_run(tmp_path, f"test_{run.recipe.name}", "--wait-at", 1, model=run) for run in trained)]
    within = []

    def held() -> list[Path]:
        """The files for which runs wait."""
        files = [run.folder / "go on" for run in runs if "epoch 1" in run.journal()]
        return [file for file in files if not file.exists()]

    def let_go_one_by_one() -> None:
        for left in range(len(runs), 0, -1):
            wait_until(lambda left=left: len(held()) >= min(2, left), 60)
            # the job of the run that was let go before may still be there
            wait_until(lambda: len(jobs("running", "pending")) <= 2, 20)
            within.append(len(held()) <= 2)
            held()[0].touch()

    def let_go() -> None:
        try:
            let_go_one_by_one()
        finally:
            for run in runs:
                run.folder.mkdir(parents=True, exist_ok=True)
                (run.folder / "go on").touch()

    threading.Thread(target=let_go, daemon=True).start()
    assert states(sweep_of(*runs, options=["--jobs", "2"])) == [State.DONE] * 6
    assert within == [True] * 6


# The tests from here on leave fewer nodes.


def test_run_that_is_lost_with_its_node_is_submitted_again_where_slurm_does_not_queue_it(tmp_path, sweep_of):
    run = stub_run(tmp_path, "run", "--epochs", 3, "--wait-at", 2)

    def lose() -> None:
        ((number, node),) = jobs("running")
        command("scontrol", "update", f"JobId={number}", "Requeue=0")
        kill_node(node)
        command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=dead")

    when(lambda: "epoch 2" in run.journal(), lose)
    when(lambda: run.done().count("start") == 2, (run.folder / "go on").touch)
    sweeping = sweep_of(run)
    assert states(sweeping) == [State.DONE]
    assert sweeping.tasks[0].attempts == 2
    assert run.done() == ["start", "epoch 1", "epoch 2", "start", "epoch 3", "end"]


def trains(run: Path) -> bool:
    """Whether it has kept an epoch, and not only its beginning."""
    return len(list(run.glob("resume/state-*"))) > 1


def attempts(run: Path) -> tuple[str, str]:
    """The logs of its two attempts."""
    before, after = (path.read_text(encoding="utf-8") for path in sorted(run.glob("log.txt*")))
    return before, after


def epochs(log: str) -> list[int]:
    return [int(number) for number in re.findall(r"epoch \[(\d+)/30\]", log)]


def metrics(output: Path) -> dict[str, dict[str, float]]:
    """By the run's folder below the output folder."""
    records = output.glob("base2new/**/results.json")
    return {
        str(path.relative_to(output)): json.loads(path.read_text(encoding="utf-8"))["metrics"] for path in records
    }


def test_train_py_goes_on_after_a_dead_node_and_scontrol_requeue_with_the_figures_of_one_process(tmp_path):
    pairs = ["--set", "OPTIM.MAX_EPOCH", "30", "TRAINER.FEATURES.VIEWS", "1", "DATALOADER.NUM_WORKERS", "0"]
    words = ["--datasets", "shapes", "--seeds", "1", "2", "--output"]
    on_slurm = [*words, str(tmp_path / "slurm"), "--methods", "coop", "--executor", "slurm", "--cpus", "1", *pairs]
    first, second = (
        tmp_path / f"slurm/base2new/train_base/shapes/shots_16/CoOp/shapes/seed{seed}" for seed in (1, 2)
    )
    sweep_py = [sys.executable, CHECKOUT / "scripts/sweep.py", *on_slurm]
    with subprocess.Popen(sweep_py, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sweeping:
        wait_until(lambda: len(jobs("running")) == 2 or sweeping.poll() is not None)
        (_, node), (number, _) = jobs("running")
        killing = when(lambda: trains(first), kill_node, node)
        when(lambda: trains(second), command, "scontrol", "requeue", number).join()
        killing.join()
        run_py = [sys.executable, str(CHECKOUT / "scripts/run.py"), "coop", "base2new"]
        command(*run_py, *words, str(tmp_path / "one"), *pairs)  # while SLURM finds out that the node is dead
        printed = sweeping.communicate(timeout=300)[0]
    assert sweeping.returncode == 0, printed
    assert "4 of 4 done, 0 failed" in printed
    assert "CoOp" in printed.split("method  ")[1]
    before, after = map(epochs, attempts(first))
    assert 1 < after[0] <= before[-1] + 1
    before, after = attempts(second)
    reached = re.search(r"Stopped by SIGTERM; the same command goes on after epoch (\d+)/30", before)[1]
    assert epochs(after)[0] == int(reached) + 1
    assert len(metrics(tmp_path / "one")) == 4
    assert metrics(tmp_path / "slurm") == metrics(tmp_path / "one")
