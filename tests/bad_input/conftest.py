"""A small world of files in which one thing is spoilt, and the run that has to say so and change nothing."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import train
from tests.conftest import CHECKOUT
from tests.golden import make_inputs


class World:
    """A DATA folder with the tiny OxfordPets, a CLIP file, and the arguments of a run that would work."""

    def __init__(self, folder: Path, clip: Path, errors: Callable[[], str]) -> None:
        self.folder, self.errors = folder, errors
        self.data, self.output = folder / "data", folder / "output"
        self.pets = self.data / "oxford_pets"
        self.split = self.pets / "split_zhou_OxfordPets.json"
        self.clip = clip
        self.arguments: dict[str, object] = {
            "--root": self.data,
            "--seed": 1,
            "--trainer": "CoOp",
            "--output-dir": self.output,
            "--dataset-config-file": CHECKOUT / "configs/datasets/oxford_pets.yaml",
            "--config-file": CHECKOUT / "configs/trainers/CoOp/vit_b16_ctxv1.yaml",
            "--backbone": clip,
        }
        self.flags: tuple = ()
        self.pairs: tuple = ("DATALOADER.NUM_WORKERS", 0, "OPTIM.MAX_EPOCH", 1, "TRAINER.COOP.PREC", "fp32")

    def method(self, trainer: str, recipe: str) -> None:
        """Another trainer than CoOp."""
        config = CHECKOUT / f"configs/trainers/{trainer}/{recipe}.yaml"
        self.arguments |= {"--trainer": trainer, "--config-file": config}

    def only_evaluate(self, folder: Path | None = None) -> None:
        """Zero-shot CLIP, or what was learned by the run of a folder."""
        if folder is None:
            self.method("ZeroshotCLIP", "vit_b16")
        self.flags = ("--eval-only", "--model-dir", folder) if folder else ("--eval-only",)

    def change_split(self, change: Callable[[dict], object]) -> None:
        """Lets `change` alter {part: rows} of the split file."""
        parts = json.loads(self.split.read_text())
        change(parts)
        self.split.write_text(json.dumps(parts))

    def command(self, *pairs: object) -> list[str]:
        given = [word for pair in self.arguments.items() for word in pair]
        return [str(word) for word in (*given, *self.flags, *self.pairs, *pairs)]

    def refused(self, words: str, *pairs: object) -> None:
        """Runs train.py, and expects exit status 2, a message with these words, and all files as they were."""
        self.refused_by(train.main, self.command(*pairs), words)

    def refused_by(self, main: Callable[[list[str]], None], command: list[str], words: str) -> None:
        before = contents(self.folder)
        with pytest.raises(SystemExit) as ended:
            main(command)
        message = self.errors()
        assert words in message, message
        assert ended.value.code == 2
        assert "error: " in message and "Traceback" not in message
        after = contents(self.folder)
        assert {path: after.get(path) for path in before} == before, "files have changed"
        assert {path.parts[0] for path in after.keys() - before.keys()} <= {"output"}, "there are new files"
        assert not (self.output / "results.json").exists()


def contents(folder: Path) -> dict[Path, str]:
    """A digest of each file below the folder."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    make_inputs.make_pets(folder / "data")
    return folder


@pytest.fixture
def world(pristine, tiny_clip, tmp_path, capsys, monkeypatch) -> World:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # the logger replaces it
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    shutil.copytree(pristine, tmp_path, dirs_exist_ok=True)
    return World(tmp_path, tiny_clip, lambda: capsys.readouterr().err)
