"""Sweeps on this machine, with a stub in place of train.py: order, repetition, what is listed, stopping, going on."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sweep
from common.warm import WarmProcess
from sweeping import local
from sweeping.driver import Sweep
from sweeping.folders import SweepFolder
from sweeping.job import TrainPy
from sweeping.local import LocalMachine
from sweeping.tasks import State, plan_lines, tasks_of
from sweeping.view import View

from tests.scripts.stub_runs import stands_for_train, stub_run

FOREVER = ("--epochs", 3, "--wait-at", 2)


pytestmark = pytest.mark.usefixtures("foreground_signals")


@pytest.fixture(params=["process", "fork"])
def sweep_of(tmp_path, request, monkeypatch):
    """Sweeps over runs, some at a time, which are processes, or forks of one."""
    monkeypatch.setenv("SHIP_START", request.param)
    monkeypatch.setattr(local, "WarmProcess", partial(WarmProcess, modules=()))  # the stub needs none

    def go(*runs, jobs: int = 2) -> Sweep:
        tasks, folder = tasks_of(runs), SweepFolder(tmp_path)
        machine = LocalMachine(folder.jobs, jobs, len(runs))
        sweeping = Sweep(tasks, machine, folder, View(tasks))
        with closing(machine), folder.locked():
            sweeping.go()
        return sweeping

    return go


def test_a_test_starts_after_its_training_and_complete_runs_are_skipped(tmp_path, sweep_of):
    trained = stub_run(tmp_path, "training")
    test = stub_run(tmp_path, "test", model=trained)
    assert list(plan_lines(tasks_of([trained, test])))[1].endswith("to run after [1]")
    assert [task.state for task in sweep_of(trained, test).tasks] == [State.DONE] * 2
    assert trained.record_path.stat().st_mtime_ns < (test.folder / "journal.txt").stat().st_mtime_ns
    other = stub_run(tmp_path, "other")
    again = sweep_of(trained, test, other)
    assert [task.state for task in again.tasks] == [State.COMPLETE, State.COMPLETE, State.DONE]
    assert trained.done() == test.done() == ["start", "epoch 1", "end"]


def test_a_test_of_a_model_that_is_trained_anew_starts_over(tmp_path, sweep_of):
    trained = stub_run(tmp_path, "training")
    test = stub_run(tmp_path, "test", model=trained)
    test.folder.mkdir(parents=True)
    test.record_path.write_text('{"metrics": {"accuracy": 20.0}, "config": {}}', encoding="utf-8")
    assert [task.message for task in sweep_of(trained, test).tasks] == ["accuracy 50.0"] * 2
    assert test.journal()[0].endswith("over")


def test_what_fails_is_repeated_once_and_what_fails_again_is_listed_with_its_logs(tmp_path, sweep_of, capsys):
    once, always = stub_run(tmp_path, "once", "--fail", 1), stub_run(tmp_path, "always", "--fail", 9)
    after, of_those = (stub_run(tmp_path, name, model=always) for name in ("after", "of_those"))
    tasks = sweep_of(once, always, after, of_those).tasks
    assert [task.state for task in tasks] == [State.DONE, State.FAILED, State.NOT_RUN, State.NOT_RUN]
    assert once.done() == ["start", "start", "epoch 1", "end"]
    assert always.done() == ["start", "start"]
    assert not after.journal()
    assert sweep.report(tasks) == 1
    listed = capsys.readouterr().err.splitlines()
    assert listed[0].startswith(f"failed: {always.title} failed with status 3; see {always.folder}/log.txt and ")
    errors = Path(listed[0].rsplit(" ", 1)[1])
    assert "made to fail" in errors.read_text(encoding="utf-8")
    assert errors.samefile(tmp_path / "sweep/stubs.always.err")
    assert listed[1].endswith(": its training failed")
    assert (always.folder / "failed.txt").read_text(encoding="utf-8").startswith(always.title)
    assert (after.folder / "failed.txt").is_file()


def test_success_takes_back_what_an_earlier_failure_left(tmp_path, sweep_of):
    run = stub_run(tmp_path, "run")
    run.folder.mkdir(parents=True)
    (run.folder / "failed.txt").write_text("out of memory\n")
    sweep_of(run)
    assert not (run.folder / "failed.txt").exists()


def test_runs_of_other_settings_are_neither_touched_nor_tested(tmp_path, sweep_of):
    run = stub_run(tmp_path, "run")
    sweep_of(run)
    settings = {name: getattr(run, name) for name in run.__dataclass_fields__}
    other = type(run)(**{**settings, "pairs": ("OPTIM.LR", "0.5")})
    before = run.record_path.read_bytes()
    tasks = sweep_of(other, stub_run(tmp_path, "test", model=other)).tasks
    assert [task.state for task in tasks] == [State.FAILED, State.NOT_RUN]
    assert "OPTIM.LR 0.5 (there: None)" in tasks[0].message
    assert run.record_path.read_bytes() == before
    assert not (run.folder / "failed.txt").exists()


@pytest.mark.parametrize("way", ["process", "fork"])
def test_run_is_started_by_the_warm_process_unless_processes_are_wanted(way, tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("import os; print(open(f'/proc/{os.getppid()}/cmdline').read())")
    monkeypatch.setenv("SHIP_START", way)
    machine = LocalMachine(tmp_path / "jobs", 1, 1)
    machine.warm.modules = ()
    with closing(machine):
        command = [sys.executable, str(script)]
        [job] = machine.submit([TrainPy(command, command)])
        assert job.result() == 0
    assert ("fork_server" in job.stdout()) == (way == "fork")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_sweep_leaves_epochs_from_which_the_next_goes_on(number, tmp_path, sweep_of, capsys):
    run = stub_run(tmp_path, "run", *FOREVER, "--signal-at", 2, int(number), os.getpid())
    stopped = sweep_of(run, stub_run(tmp_path, "test", model=run))
    assert stopped.stopped_by == number
    assert run.done() == ["start", "epoch 1", "epoch 2", "stopped by 15"]
    assert "keep their epoch" in capsys.readouterr().out
    assert [task.state for task in sweep_of(run).tasks] == [State.DONE]
    assert run.done()[4:] == ["start", "epoch 3", "end"]


def test_job_ends_with_a_sweep_that_was_killed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run = stub_run(tmp_path, "run", *FOREVER)
    assert TrainPy(run.command(), run.command(), driver=ended.pid)() in (143, -15)  # -15: before it could listen


def test_cores_are_divided(monkeypatch, tmp_path, sweep_of):
    monkeypatch.setattr(local, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert LocalMachine(tmp_path, None, 3).jobs == 3
    assert LocalMachine(tmp_path, None, 99).jobs == 8
    run = stub_run(tmp_path, "run")
    sweep_of(run, jobs=2)
    assert run.journal()[0] == "start threads=4 gpus="
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert LocalMachine(tmp_path, 2, 99).environment(0)["OMP_NUM_THREADS"] == "3"


def test_each_place_has_a_gpu_of_its_own(monkeypatch, tmp_path, sweep_of):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5f")
    assert LocalMachine(tmp_path, None, 99).jobs == 2
    runs = [stub_run(tmp_path, f"run{index}") for index in range(2)]
    sweep_of(*runs, jobs=2)
    assert [run.journal()[0].rsplit(" ", 1)[1] for run in runs] == ["gpus=3", "gpus=GPU-5f"]


def arguments(tmp_path, *words: str) -> list[str]:
    return ["--datasets", "shapes", "--methods", "coop", "--seeds", "1", "--output", str(tmp_path / "out"), *words]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--datasets", "shape"], "Did you mean shapes?"),
        (["--methods", "koop"], "koop"),
        (["--jobs", "0"], "0 is not above 0"),
        (["--executor", "slurm", "--mem", "-1"], "-1 is not above 0"),
        (["--set", "OPTIM.LR"], "do not pair up"),
        (["--protocol", "xd", "--datasets", "shapes", "dtd"], "one source"),
        (["--partition", "gpu"], "--partition is for --executor slurm"),
        (["--executor", "slurm", "--slurm", "array=1-3"], "the sweep sets this itself"),
        (["--executor", "slurm", "--slurm", "cpus_per_task=3"], "give it as --cpus"),
        (["--executor", "slurm"], "SLURM is not installed here: sbatch, srun, squeue, scancel, scontrol not found"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        sweep.main(arguments(tmp_path, *words))
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_missing_submitit_is_named_with_what_to_do(tmp_path, monkeypatch, capsys):
    for name in ("sweeping.local", "sweeping.slurm", "sweeping.job"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(SystemExit) as ended:
        sweep.main(arguments(tmp_path))
    assert ended.value.code == 2
    assert "pip install submitit" in capsys.readouterr().err


def test_second_sweep_on_an_output_folder_is_refused(tmp_path, capsys):
    with SweepFolder(tmp_path / "out").locked(), pytest.raises(SystemExit) as ended:
        sweep.main(arguments(tmp_path))
    assert ended.value.code == 2
    assert "another sweep is at work" in capsys.readouterr().err


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path, capsys):
    sweep.main(arguments(tmp_path, "--dry-run"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == "[1] CoOp shapes seed 1: train and test on shapes, base classes, 16 shots: to run"
    assert lines[-2].endswith("new classes, 16 shots: to run after [1]")
    assert lines[-1] == "2 runs: 0 complete, 2 to run"
    assert list(tmp_path.iterdir()) == []


def test_train_py_runs_and_its_table_is_printed(pets, tiny_clip, tmp_path, capsys):
    words = ["--datasets", "oxford_pets", "--methods", "zsclip", "--seeds", "1", "--protocol", "fewshot"]
    pairs = ["--set", "MODEL.BACKBONE.NAME", str(tiny_clip), "DATALOADER.NUM_WORKERS", "0"]
    with pytest.raises(SystemExit) as ended:
        sweep.main([*words, "--data", str(pets), "--output", str(tmp_path / "out"), *pairs])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "(0 waiting, 0 running, 1 of 1 done, 0 failed)" in printed
    assert "oxford_pets" in printed.split("ZeroshotCLIP")[-2]


ABLATIONS = ("shapes", "--ablations", "bias", "calibration", "--seeds", "1", "--class-splits", "1")


def test_ablations_are_planned_with_their_class_splits_and_shared_runs_once(tmp_path, capsys):
    sweep.main([*ABLATIONS, "--output", str(tmp_path / "out"), "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    # bias: 2 rows of 2 runs; calibration adds to the published row its gzsl test, 3 rows of 3 runs, 2 tests
    assert lines[-1] == "16 runs: 0 complete, 16 to run"
    assert list(tmp_path.iterdir()) == []


def test_ablations_are_run_and_their_tables_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(local, "WarmProcess", partial(WarmProcess, modules=()))
    stands_for_train(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        sweep.main(["shapes", "1", "--ablations", "lr", "bias", "--class-splits", "1", "--output", str(tmp_path)])
    assert ended.value.code == 0
    _, lr, bias = capsys.readouterr().out.split("\n\n")
    assert lr.startswith("shapes, 16 shots, base-to-new, lr") and "over seeds 1 and class splits 1" in lr
    assert bias.startswith("shapes, 16 shots, base-to-new, bias")
    assert len(list(tmp_path.glob("ablations/*/draw1/base2new/*/shapes/*/*/*/seed1/results.json"))) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ablations", "nothing"], "--ablations nothing: there are synthesis, kl_weight"),
        (["--ablations", "loss", "--methods", "cocoop"], "name the methods that it is on by --on"),
        (["--ablations", "loss", "--protocol", "gzsl"], "leave it out"),
        (["--ablations", "loss", "--on", "koop"], "Did you mean"),
        (["--ablations", "bias", "--reference", "CoOp"], "--reference is of the ablations loss"),
        (["--class-splits", "1"], "--class-splits and --reference are for --ablations"),
    ],
)
def test_what_does_not_fit_ablations_is_refused_and_nothing_is_written(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        sweep.main(["shapes", "--output", str(tmp_path / "out"), *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
