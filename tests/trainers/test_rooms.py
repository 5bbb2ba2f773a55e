"""The folders of trainers/blocks import each other one way only, and nothing of the project above them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

BLOCKS = CHECKOUT / "trainers/blocks"
BELOW = {  # what each may import, beside itself
    "training": {"synthesis", "methods", "clip", "features", "engine", "run", "keys", "errors"},
    "synthesis": {"methods", "clip", "features", "run", "keys", "errors"},
    "methods": {"clip", "features", "run", "keys", "errors"},
    "clip": {"run", "keys", "errors"},
    "features": {"run", "keys", "errors"},
    "engine": {"run", "errors"},
    "run": {"errors"},
    "keys": {"errors"},
    "errors": set(),
    "__init__": set(),
}
ABOVE = {"compat", "datasets", "trainers", "train", "configuration", "scripts", "ship_dassl"}
FILES = sorted(BLOCKS.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports; relative ones begin with trainers."""
    package = ["trainers", *path.relative_to(CHECKOUT / "trainers").parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = [*above, *(node.module.split(".") if node.module else [])]
            # `from .. import gzsl` names a module, `from ..keys import Key` does not
            yield from (
                (".".join([*module, alias.name]) for alias in node.names) if not node.module else [".".join(module)]
            )


def room(path: Path) -> str:
    return path.relative_to(BLOCKS).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BLOCKS)))
def test_imports_lead_down_only(path):
    allowed = BELOW[room(path)] | {room(path)}
    for name in imported(path):
        if name.startswith("trainers.blocks."):
            assert name.split(".")[2] in allowed, f"{path} imports {name}"
        else:
            assert name.split(".")[0] not in ABOVE, f"{path} imports {name}"


def test_modules_of_a_folder_do_not_import_each_other_in_circles():
    names = {".".join(path.relative_to(CHECKOUT).with_suffix("").parts): path for path in FILES}
    whole = {name.removesuffix(".__init__"): name for name in names}  # a folder stands for its __init__
    left = {name: {whole[other] for other in imported(path) if other in whole} for name, path in names.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_few_modules_lie_outside_a_folder():
    assert {path.stem for path in BLOCKS.glob("*.py")} == {"__init__", "errors", "keys"}


@pytest.mark.parametrize("path", sorted((CHECKOUT / "trainers").glob("*.py")), ids=lambda path: path.name)
def test_trainers_are_a_few_lines_each(path):
    if path.name not in ("__init__.py", "ship.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 12
