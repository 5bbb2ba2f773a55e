"""Every command answers --help with an example."""

import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT

COMMANDS = sorted(path.stem for path in (CHECKOUT / "scripts").glob("*.py"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_help_with_an_example(name, tmp_path):
    command = [sys.executable, CHECKOUT / f"scripts/{name}.py", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert "    python scripts/" in done.stdout or "    bash scripts/" in done.stdout
