"""A real checkout of CoOp with SHIP added to it as README.md says, on real Dassl: clones of both have to be given."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tests.golden import make_inputs

ASKED_FOR = {"SHIP_TEST_DASSL": "dassl/__init__.py", "SHIP_TEST_COOP": "trainers/coop.py"}
PLUGIN = (
    "trainers/ship.py",
    "trainers/blocks",
    "configs/trainers/SHIP",
    "configs/methods.yaml",
    "configs/published.yaml",
)
BACKBONE = "ViT-B/16"  # as CoOp calls what is here a tiny random CLIP


@pytest.fixture(scope="session")
def clones() -> dict[str, Path]:
    """The clones of Dassl and CoOp; without them the tests here are skipped."""
    given = {name: Path(os.environ.get(name, "")).absolute() for name in ASKED_FOR}
    if not all(os.environ.get(name) for name in ASKED_FOR):
        pytest.skip(
            "needs clones of Dassl and CoOp, and Dassl's dependencies (bash scripts/install_dassl.sh): "
            "SHIP_TEST_DASSL=FOLDER SHIP_TEST_COOP=FOLDER bash scripts/test.sh tests/on_dassl"
        )
    for name, file in ASKED_FOR.items():
        assert (given[name] / file).is_file(), f"{name}={given[name]} has no {file}"
    return given


class House:
    """The checkout, the data and the backbone, and programs started there."""

    def __init__(self, folder: Path, clones: dict[str, Path]) -> None:
        self.folder, self.home, self.data = folder / "CoOp", folder / "home", folder / "data"
        self.backbone = self.home / ".cache/clip/tiny.pt"
        self.dassl = clones["SHIP_TEST_DASSL"]
        shutil.copytree(clones["SHIP_TEST_COOP"], self.folder, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        self.backbone.parent.mkdir(parents=True)
        make_inputs.make_clip(self.backbone)
        make_inputs.make_pets(self.data)
        self.give_coop_the_backbone()
        self.add_ship()

    def give_coop_the_backbone(self) -> None:
        """CoOp takes a backbone by name, from where its downloads lie, if its checksum is that of the address."""
        address = f"https://nowhere.invalid/{hashlib.sha256(self.backbone.read_bytes()).hexdigest()}/tiny.pt"
        self.change("clip/clip.py", rf'"{BACKBONE}": ".*"', f'"{BACKBONE}": "{address}"')

    def add_ship(self) -> None:
        """By the words of README.md: files, and two lines in train.py."""
        parts = [path.relative_to(CHECKOUT) for path in (CHECKOUT / "scripts").iterdir()]
        for part in (*map(Path, PLUGIN), *parts):
            source, target = CHECKOUT / part, self.folder / part
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        self.change("train.py", "^import trainers.zsclip$", "import trainers.zsclip\nimport trainers.ship")
        last = '    cfg.DATASET.SUBSAMPLE_CLASSES = "all"'
        self.change("train.py", f"^{last}.*$", f"{last}\n    trainers.ship.extend_cfg(cfg)")

    def change(self, file: str, pattern: str, new: str) -> None:
        path = self.folder / file
        text, count = re.subn(pattern, new.replace("\\", r"\\"), path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert count == 1, f"{pattern} is {count} times in {path}"
        path.write_text(text, encoding="utf-8")

    def start(self, *command: object, folder: Path | None = None) -> subprocess.CompletedProcess:
        """A program in the checkout, on the Dassl that was given, with a home of its own."""
        environment = {**os.environ, "HOME": str(self.home), "PYTHON": sys.executable, "SHIP_ENGINE": "dassl"}
        environment["PYTHONPATH"] = str(self.dassl)
        words = [str(word) for word in command]
        return subprocess.run(
            words, cwd=folder or self.folder, env=environment, capture_output=True, text=True, timeout=900
        )

    def train(
        self,
        trainer: str,
        name: str,
        *pairs: object,
        flags: tuple = (),
        classes: str = "base",
        backbone: object = BACKBONE,
        checkout: Path | None = None,
    ) -> subprocess.CompletedProcess:
        """train.py there (or in another checkout), four shots of the tiny OxfordPets."""
        place = checkout or self.folder
        return self.start(
            *(sys.executable, "train.py", "--root", self.data, "--seed", 1, "--trainer", trainer),
            *("--output-dir", self.output(name), "--dataset-config-file", "configs/datasets/oxford_pets.yaml"),
            *("--config-file", f"configs/trainers/{trainer}/vit_b16.yaml", "--backbone", backbone, *flags),
            *("DATASET.NUM_SHOTS", 4, "DATASET.SUBSAMPLE_CLASSES", classes, "DATALOADER.NUM_WORKERS", 0, *pairs),
            folder=place,
        )

    def output(self, name: str) -> Path:
        return self.folder.parent / "output" / name


@pytest.fixture(scope="module")
def house(tmp_path_factory, clones) -> House:
    return House(tmp_path_factory.mktemp("house"), clones)
