"""Protocol scripts that are stopped, and runs that fail, with real processes and a stub in place of train.py."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("foreground_signals")

COMMAND = Path(__file__).with_name("stub_command.py")
WAITING = "--epochs 3 --wait-at 2"
FAR_OFF = 60  # seconds, after which a test gives up


@pytest.fixture(params=["process", "fork"])
def start(request, tmp_path):
    """Starts the command in a process group of its own, as a shell does; its runs are processes, or forks of one."""
    started = []

    def start(name: str, options: str, *words: str) -> subprocess.Popen:
        command = [sys.executable, str(COMMAND), name, str(tmp_path), options, *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**os.environ, "SHIP_START": request.param}
        started.append(subprocess.Popen(command, start_new_session=True, env=environment, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process: subprocess.Popen) -> tuple[str, str]:
    """What it has printed when it has ended."""
    out, err = process.communicate(timeout=FAR_OFF)
    return out.decode(), err.decode()


def journal(output: Path, name: str = "training") -> list[str]:
    path = output / f"stubs/{name}/journal.txt"
    return [line.split(" threads")[0] for line in path.read_text().splitlines()] if path.is_file() else []


def wait_for(line: str, output: Path) -> None:
    deadline = time.monotonic() + FAR_OFF
    while line not in journal(output):
        assert time.monotonic() < deadline, "it did not get that far"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["run", "compare"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_script_has_its_run_finish_the_step_and_says_so_in_one_line(name, number, status, start, tmp_path):
    process = start(name, WAITING, *["--quiet"] * (name == "run"))
    wait_for("epoch 2", tmp_path)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        os.kill(process.pid, number)
    out, err = ended(process)
    assert process.returncode == status
    assert journal(tmp_path) == ["start", "epoch 1", "epoch 2", f"stopped by {int(number)}"]
    assert journal(tmp_path, "other") == []
    assert err == f"stopped by {signal.Signals(number).name}; the same command goes on\n"
    assert "failed" not in out
    assert not (tmp_path / "stubs/training/failed.txt").exists()


def test_run_that_prints_its_own_line_needs_no_other(start, tmp_path):
    process = start("run", WAITING)
    wait_for("epoch 2", tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    out, err = ended(process)
    assert process.returncode == 143
    assert out.splitlines()[-1] == "Stopped by SIGTERM; the same command goes on after epoch 2"
    assert err == ""


def test_interrupt_that_reaches_the_script_alone_is_passed_on_when_it_comes_again(start, tmp_path):
    process = start("run", WAITING)
    wait_for("epoch 2", tmp_path)
    while journal(tmp_path)[-1] != "stopped by 2":
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.02)
    ended(process)
    assert process.returncode == 130


def test_the_same_command_goes_on(start, tmp_path):
    process = start("run", WAITING)
    wait_for("epoch 2", tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    process.wait(FAR_OFF)
    again = start("run", "--epochs 3")
    ended(again)
    assert again.returncode == 0
    assert journal(tmp_path)[4:] == ["start", "epoch 3", "end"]
    assert journal(tmp_path, "test") == ["start", "epoch 1", "end"]


@pytest.mark.parametrize("name", ["run", "compare"])
def test_killed_run_makes_the_status_128_and_its_signal_and_the_others_go_on(name, start, tmp_path):
    process = start(name, f"--ended-by {int(signal.SIGKILL)}")
    out, err = ended(process)
    assert process.returncode == 128 + signal.SIGKILL
    killed, not_run = err.splitlines()
    assert killed.startswith("failed: CoOp training seed 1")
    assert killed.endswith(f"was ended by SIGKILL; see {tmp_path}/stubs/training/log.txt")
    assert not_run.startswith("failed: CoOp test seed 1") and not_run.endswith("its training failed")
    assert journal(tmp_path, "test") == []
    assert journal(tmp_path, "other")[-1] == "end"


@pytest.mark.parametrize(("name", "status"), [("run", 3), ("compare", 1)])
def test_failed_run_is_noted_and_the_others_go_on(name, status, start, tmp_path):
    process = start(name, "--fail 9")
    _, err = ended(process)
    assert process.returncode == status
    assert "failed with status 3" in err
    assert "failed with status 3" in (tmp_path / "stubs/training/failed.txt").read_text()
    assert journal(tmp_path, "other")[-1] == "end"


@pytest.mark.parametrize("name", ["run", "compare"])
def test_lines_come_through_a_pipe_as_they_are_printed_and_without_carriage_returns(name, start, tmp_path):
    process = start(name, WAITING)
    assert process.stdout.readline().startswith(b"[1/3] CoOp training seed 1")  # while the run waits
    assert process.poll() is None
    wait_for("epoch 2", tmp_path)
    (tmp_path / "stubs/training/go on").touch()
    out, err = ended(process)
    assert process.returncode == 0, err
    assert "[1/3] accuracy 50.0" in out
    assert "\r" not in out + err
