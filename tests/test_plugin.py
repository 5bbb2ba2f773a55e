"""SHIP in somebody else's checkout of CoOp, installed there with pip or copied into it."""

import ast
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import CHECKOUT
from tests.wheel import copy, run

COPIED = ("trainers/ship.py", "trainers/blocks", "scripts/ship")
SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1, "DATALOADER.NUM_WORKERS", 0, "DATASET.NUM_SHOTS", 4)
OTHERS = {"compat", "configuration", "datasets", "scripts", "ship_dassl", "train", "trainers"}


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
    modules |= {path.relative_to(CHECKOUT) for path in (CHECKOUT / "compat").rglob("*.py")}
    assert {path.relative_to(site / "ship_dassl") for path in site.rglob("*.py")} == modules


def test_package_itself_imports_nothing(site, tmp_path):
    heavy = "{'torch', 'sklearn', 'dassl', 'clip', 'ship_dassl.library', 'ship_dassl.ship'} & sys.modules.keys()"
    code = f"import sys, ship_dassl; names = dir(ship_dassl); print(ship_dassl.__file__, {heavy}, 'Ship' in names)"
    done = run(sys.executable, "-c", code, folder=tmp_path, paths=(site,))
    assert done.stdout == f"{site / 'ship_dassl/__init__.py'} set() True\n", done.stderr


def test_a_name_that_the_package_has_not_is_an_attribute_error(installed):
    with pytest.raises(AttributeError, match="module 'ship_dassl' has no attribute 'Shipp'"):
        _ = installed("ship_dassl").Shipp


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
