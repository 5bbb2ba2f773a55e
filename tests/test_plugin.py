"""SHIP copied into somebody else's checkout of CoOp: trainers/ship.py, trainers/blocks, its recipes and scripts."""

import ast
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT

COPIED = ("trainers/ship.py", "trainers/blocks", "configs/trainers/SHIP", "scripts/ship")
SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1, "DATALOADER.NUM_WORKERS", 0, "DATASET.NUM_SHOTS", 4)


@pytest.fixture
def house(tmp_path):
    """A minimal imitation of such a checkout, with the built-in engine on the path as `dassl`."""
    folder = tmp_path / "CoOp"
    shutil.copytree(CHECKOUT / "tests/house", folder, ignore=shutil.ignore_patterns("coop.py", "__pycache__"))
    (folder / "trainers").mkdir()
    (folder / "trainers/__init__.py").touch()
    shutil.copy(CHECKOUT / "tests/house/coop.py", folder / "trainers/coop.py")
    shutil.copytree(
        CHECKOUT / "datasets", folder / "datasets", ignore=shutil.ignore_patterns("assets", "__pycache__")
    )
    (folder / "pkg_resources.py").write_text("import packaging.version\n")  # which clip asks for
    for path in COPIED:
        source, target = CHECKOUT / path, folder / path
        copy = shutil.copytree if source.is_dir() else shutil.copy
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(source, target)
    return folder


def test_trains_and_evaluates_there(house, pets, tiny_clip):
    def start(name: str, classes: str, *flags: object) -> subprocess.CompletedProcess:
        command = [
            *(sys.executable, "train.py", "--root", pets, "--output-dir", house / name, "--trainer", "SHIP"),
            *("--config-file", "configs/trainers/SHIP/vit_b16.yaml", "--seed", 1),
            *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml", *flags, *SHORT),
            *("MODEL.BACKBONE.NAME", tiny_clip, "DATASET.SUBSAMPLE_CLASSES", classes),
        ]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "compat")}
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=house, env=environment, capture_output=True, text=True, timeout=900)

    trained = start("run", "base")
    assert trained.returncode == 0, trained.stderr
    assert "trainers: ['CoOp', 'SHIP']" in trained.stdout
    evaluated = start("new", "new", "--eval-only", "--model-dir", house / "run")
    assert evaluated.returncode == 0, evaluated.stderr
    assert (house / "new/results.json").is_file()


def test_older_python_ends_in_one_line():
    code = "import runpy, sys; sys.version_info, sys.version = (3, 9, 1), '3.9.1 (old)'; runpy.run_path(sys.argv[1])"
    words = [sys.executable, "-c", code, str(CHECKOUT / "trainers/blocks/__init__.py")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: SHIP needs Python 3.10 or newer, and this is Python 3.9.1.\n"


def test_copied_files_import_nothing_else_of_this_repository():
    files = [CHECKOUT / "trainers/ship.py", *(CHECKOUT / "trainers/blocks").glob("*.py")]
    for file in files:
        above = 1 if file.name == "ship.py" else 0
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, file
                assert not above or node.module.startswith("blocks"), file
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert not {name.split(".")[0] for name in names} & {"compat", "datasets", "trainers", "train"}, file
