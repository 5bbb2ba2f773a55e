"""How every command ends when nobody reads what it prints."""

import os
import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT

COMMANDS = sorted(path.stem for path in (CHECKOUT / "scripts").glob("*.py"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_reader_has_gone_ends_without_a_traceback(name, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, CHECKOUT / f"scripts/{name}.py", "--help"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # 0: argparse passes over what it cannot print


def test_what_is_printed_to_nobody_ends_a_command_with_the_status_of_a_closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    lines = "from common.command import run_command; run_command(lambda: print('a line'))"
    command = [sys.executable, "-c", lines]
    done = subprocess.run(command, cwd=CHECKOUT / "scripts", stdout=writer, stderr=subprocess.PIPE, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
