"""The wheel that `pip install .` makes, built from a copy of its sources and installed in a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
BUILT_FROM = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "trainers", "compat")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
OFFLINE = ("--no-index", "--no-deps")


def run(*command: object, folder: Path, paths: tuple = ()) -> subprocess.CompletedProcess:
    """A program that finds `paths` beside what is installed, and not this checkout."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def copy(names: tuple[str, ...], target: Path) -> None:
    """Files and folders of the checkout, but for assets."""
    for name in names:
        source, copied = CHECKOUT / name, target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copied, ignore=shutil.ignore_patterns("assets", "__pycache__"))
        else:
            shutil.copy(source, copied)


def install(folder: Path) -> Path:
    """Builds and installs below the folder, without a network; gives the folder that has what is installed."""
    copy(BUILT_FROM, folder / "sources")
    built = run(*PIP, "wheel", *OFFLINE, "--no-build-isolation", "-w", folder, folder / "sources", folder=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    installed = run(*PIP, "install", *OFFLINE, "--target", folder / "site", wheel, folder=folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "site"
