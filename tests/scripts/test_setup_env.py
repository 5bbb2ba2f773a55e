"""When the scripts install the dependencies: the first time, and when what declares them has changed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

STUB = """#!/bin/sh
case "$*" in
*pip*) echo "$*" >>pip.log ;;
*sys.prefix*) pwd ;;
esac
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout and an active environment, in whose Python nothing is installed but noted."""
    for name in ("setup.py", "pyproject.toml", "scripts/setup_env.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(STUB)
    (tmp_path / "bin/python").chmod(0o755)
    return tmp_path


def installs(checkout: Path) -> int:
    """How often the dependencies have been installed, after one more start."""
    environment = {**os.environ, "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
    words = ["bash", "-euo", "pipefail", "-c", "source scripts/setup_env.sh; setup_env --active"]
    subprocess.run(words, cwd=checkout, env=environment, check=True, capture_output=True)
    return len((checkout / "pip.log").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("changed", ["setup.py", "pyproject.toml"])
def test_dependencies_are_installed_once_until_what_declares_them_changes(checkout, changed):
    assert [installs(checkout), installs(checkout)] == [1, 1]
    with (checkout / changed).open("a", encoding="utf-8") as file:
        file.write("# a change\n")
    assert [installs(checkout), installs(checkout)] == [2, 2]
