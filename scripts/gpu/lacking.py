"""Prints the packages that the interpreter lacks, in one line: those that the project depends on, and pytest.

python scripts/gpu/lacking.py
"""

from __future__ import annotations  # for whatever interpreter is there

import re
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
TESTS = ["pytest"]


def lacking() -> list[str]:
    """Names of distributions, PyTorch's own among them: these are not to be installed by the way."""
    listed = re.search(r"^dependencies = \[(.*?)^\]", PYPROJECT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names = [re.match(r"[\w.-]+", line)[0] for line in re.findall(r'"(.*?)"', listed[1])]
    return [name for name in [*names, *TESTS] if not is_installed(name)]


def is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(lacking()))
