"""Runs of a stub in place of train.py, for tests of sweeps."""

import sys
from dataclasses import dataclass
from pathlib import Path

from protocols.methods import METHODS, Recipe
from protocols.runs import Run

STUB = Path(__file__).with_name("stub_train.py")


@dataclass(frozen=True)
class StubRun(Run):
    """Its command is that of stub_train.py, with `options`."""

    options: tuple[object, ...] = ()

    def command(self, force: bool = False) -> list[str]:
        return [sys.executable, str(STUB), str(self.folder), *["--force"] * force, *map(str, self.options)]

    def journal(self) -> list[str]:
        """What it has done, as it says."""
        path = self.folder / "journal.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []

    def done(self) -> list[str]:
        """The same without threads."""
        return [line.split(" threads")[0] for line in self.journal()]


def stub_run(output: Path, name: str, *options: object, model: Run | None = None) -> StubRun:
    settings = {"model": model, "trains": model is None, "options": options}
    return StubRun(
        METHODS["coop"], Recipe(name, ()), "shapes", "base", 16, 1, output / "stubs" / name, output, **settings
    )


def stands_for_train(monkeypatch, *options: object) -> None:
    """Has all runs call stub_train.py, with the options."""

    def command(run: Run, force: bool = False) -> list[str]:
        return [sys.executable, str(STUB), str(run.folder), *["--force"] * force, *map(str, options)]

    monkeypatch.setattr(Run, "command", command)
    monkeypatch.setattr(Run, "conflicts", lambda run, record: [])  # its records say nothing of settings
