"""SHIP in somebody else's checkout of CoOp, installed there with pip or copied into it."""

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import CHECKOUT

BUILT_FROM = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "trainers")
COPIED = ("trainers/ship.py", "trainers/blocks", "scripts/ship")
SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1, "DATALOADER.NUM_WORKERS", 0, "DATASET.NUM_SHOTS", 4)
OTHERS = {"compat", "configuration", "datasets", "scripts", "ship_dassl", "train", "trainers"}
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
OFFLINE = ("--no-index", "--no-deps")


def run(*command: object, folder: Path, paths: tuple = ()) -> subprocess.CompletedProcess:
    """A program that finds `paths` beside what is installed, and not this checkout."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def copy(names: tuple[str, ...], target: Path) -> None:
    for name in names:
        source, copied = CHECKOUT / name, target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copied, ignore=shutil.ignore_patterns("assets", "__pycache__"))
        else:
            shutil.copy(source, copied)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with what the wheel installs, and nothing else; the wheel is built from a copy of its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy(BUILT_FROM, folder / "sources")
    built = run(*PIP, "wheel", *OFFLINE, "--no-build-isolation", "-w", folder, folder / "sources", folder=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    installed = run(*PIP, "install", *OFFLINE, "--target", folder / "site", wheel, folder=folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "site"


@pytest.fixture
def installed(site, monkeypatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the installed package into this process, which has PyTorch loaded."""
    monkeypatch.syspath_prepend(site)
    yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] == "ship_dassl"]:
        del sys.modules[name]


@pytest.fixture
def house(tmp_path, tiny_clip) -> Path:
    """A minimal imitation of a CoOp checkout, whose train.py has the two lines that add SHIP."""
    folder = tmp_path / "CoOp"
    copy(("datasets", "configs/trainers/SHIP"), folder)
    (folder / "trainers").mkdir()
    (folder / "trainers/__init__.py").touch()
    shutil.copy(CHECKOUT / "tests/house/coop.py", folder / "trainers/coop.py")
    shutil.copy(CHECKOUT / "tests/house/train.py", folder / "train.py")
    shutil.copy(tiny_clip, folder / "tiny_clip.pt")
    return folder


def train(
    house: Path, pets: Path, *flags: object, name: str = "run", classes: str = "base", paths: tuple = ()
) -> dict:
    """Runs train.py there, with the built-in engine on the path as `dassl`, and gives what results.json says."""
    done = run(
        *(sys.executable, "train.py", "--root", pets, "--output-dir", house / name, "--trainer", "SHIP"),
        *("--config-file", "configs/trainers/SHIP/vit_b16.yaml", "--seed", 1),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml", *flags, *SHORT),
        *("MODEL.BACKBONE.NAME", "tiny_clip.pt", "DATASET.SUBSAMPLE_CLASSES", classes),
        folder=house,
        paths=(*paths, CHECKOUT / "compat"),
    )
    assert done.returncode == 0, done.stderr
    assert "trainers: ['CoOp', 'SHIP']" in done.stdout
    return json.loads((house / name / "results.json").read_text(encoding="utf-8"))


# --- installed


def test_wheel_installs_one_package(site):
    assert sorted(path.name for path in site.iterdir()) == ["ship_dassl", "ship_dassl-0.1.0.dist-info"]
    modules = {path.relative_to(CHECKOUT / "trainers") for path in (CHECKOUT / "trainers").rglob("*.py")}
    assert {path.relative_to(site / "ship_dassl") for path in site.rglob("*.py")} == modules


def test_package_itself_imports_nothing(site, tmp_path):
    code = "import sys, ship_dassl; print(ship_dassl.__file__, {'torch', 'dassl', 'clip'} & sys.modules.keys())"
    done = run(sys.executable, "-c", code, folder=tmp_path, paths=(site,))
    assert done.stdout == f"{site / 'ship_dassl/__init__.py'} set()\n"


def test_without_dassl_one_line_says_how_to_install_it(installed, monkeypatch):
    for name in ("dassl", "dassl.engine"):
        monkeypatch.setitem(sys.modules, name, None)  # as if there were none
    with pytest.raises(ImportError, match="^SHIP is a plugin for Dassl, which is not installed: pip install .*$"):
        installed("ship_dassl.ship")


def test_installed_it_trains_there(site, house, pets):
    program = (house / "train.py").read_text(encoding="utf-8")
    (house / "train.py").write_text(program.replace("trainers.ship", "ship_dassl.ship"), encoding="utf-8")
    record = train(house, pets, paths=(site,))
    assert record["code"] == {"version": "0.1.0"}


def test_relative_path_of_weights_leads_to_no_installed_file(installed, tmp_path, monkeypatch):
    files, errors = installed("ship_dassl.blocks.clip.files"), installed("ship_dassl.blocks.errors")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.InputError, match="neither an existing file"):
        files.find("ship_dassl/ship.py")


# --- copied


def test_copied_it_trains_and_evaluates_there(house, pets):
    copy(COPIED, house)
    train(house, pets)
    evaluated = train(house, pets, "--eval-only", "--model-dir", house / "run", name="new", classes="new")
    assert evaluated["classes"] == "new"


def test_older_python_ends_in_one_line():
    code = "import runpy, sys; sys.version_info, sys.version = (3, 9, 1), '3.9.1 (old)'; runpy.run_path(sys.argv[1])"
    words = [sys.executable, "-c", code, str(CHECKOUT / "trainers/blocks/__init__.py")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: SHIP needs Python 3.10 or newer, and this is Python 3.9.1.\n"


def test_copied_files_import_nothing_else_of_this_repository():
    trainers = CHECKOUT / "trainers"
    for file in (trainers / "ship.py", *(trainers / "blocks").rglob("*.py")):
        folders = len(file.relative_to(trainers).parts) - 1  # that it is in, blocks/ the outermost
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level <= folders or (node.module or "").startswith("blocks."), file
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert not {name.split(".")[0] for name in names} & OTHERS, file
