"""What log.txt holds after a crash, and what is shown of warnings."""

import errno
import io
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

import train
from compat.dassl.utils.logger import Logger, setup_logger
from tests.conftest import CHECKOUT
from trainers.blocks.run.progress import progress
from trainers.blocks.run.warnings_once import warnings_once


@pytest.fixture
def start_log(tmp_path, monkeypatch):
    """Has standard output go to a log too; its path."""

    def start() -> Path:
        monkeypatch.setattr(sys, "stdout", sys.stdout)
        setup_logger(tmp_path)
        return tmp_path / "log.txt"

    return start


def test_error_message_is_in_the_log(start_log, capsys):
    log = start_log()
    with pytest.raises(SystemExit):
        train.fail("no such thing")
    assert log.read_text() == "error: no such thing\n"
    assert capsys.readouterr().err == "error: no such thing\n"


def test_traceback_of_a_fault_is_in_the_log(start_log, monkeypatch):
    log = start_log()

    def crash(args: object) -> None:
        print("before the crash")
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(train, "run", crash)
    with pytest.raises(ZeroDivisionError):
        train.main([])
    lines = log.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before the crash", "ZeroDivisionError: a fault")


def test_lines_are_flushed_as_they_are_printed(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    seen = []

    def run(args: object) -> None:
        print("a line")
        seen.append(written.getvalue())

    monkeypatch.setattr(train, "run", run)
    train.main([])
    assert seen == [b"a line\n"]


def test_bar_on_a_terminal_leaves_no_trace_in_the_log(start_log, monkeypatch):
    log = start_log()
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(3, "stage") as bar:
        for step in range(3):
            print(f"step {step}")
            bar.update()
    assert "stage" in terminal.getvalue()
    assert log.read_text() == "step 0\nstep 1\nstep 2\n"


def test_run_goes_on_without_a_log_where_the_disk_is_full(start_log, capsys):
    start_log()

    class Full(io.StringIO):
        name = "there/log.txt"

        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    assert isinstance(sys.stdout, Logger)
    sys.stdout.file = Full()
    print("one\ntwo")
    out, error = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert error == "warning: no more lines go to there/log.txt: No space left on device\n"


class Warns(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        warnings.warn("an odd image", stacklevel=2)
        return index


def test_warning_is_shown_once_whatever_worker_gives_it(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *rest: print(message, file=sys.stderr, flush=True)
        with warnings_once():
            for _ in range(2):
                assert len(list(DataLoader(Warns(), num_workers=2, multiprocessing_context="fork"))) == 4
            Warns()[0]
            warnings.warn("another", stacklevel=1)
    error = capfd.readouterr().err
    assert (error.count("an odd image"), error.count("another")) == (1, 1)


def test_warning_of_a_process_that_the_run_starts_is_not_shown_again(capfd):
    code = (
        "import sys, warnings\nfrom trainers.blocks.run.warnings_once import warnings_once\n"
        "with warnings_once():\n    warnings.warn('will create 4 workers')\n    warnings.warn('another')"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *rest: print(message, file=sys.stderr, flush=True)
        with warnings_once():
            warnings.warn("will create 8 workers", stacklevel=1)
            for _ in range(2):
                subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True)
    error = capfd.readouterr().err
    assert (error.count("will create"), error.count("UserWarning: another")) == (1, 1)
