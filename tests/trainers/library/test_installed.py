"""The public surface: documented, typed, and its examples run on what the wheel installs, away from the checkout."""

import doctest
import inspect
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

import trainers
from tests.conftest import CHECKOUT
from tests.wheel import run

PUBLIC = {name: getattr(trainers, name) for name in trainers.__all__}
OWN = {f"{name}.{method}": getattr(thing, method) for name, thing in PUBLIC.items() for method in dir(thing)}
FUNCTIONS = {
    **{name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)},
    **{
        name: thing
        for name, thing in OWN.items()
        if inspect.isfunction(thing) and thing.__module__.startswith("trainers.") and "._" not in name
    },
}
SHAPES_CLIP = "datasets/assets/shapes_clip.pt"
EXAMPLES = """
import doctest, importlib, json, sys
told = {}
for name in ("clip", "ship", "estimators"):
    module = importlib.import_module(f"ship_dassl.library.{name}")
    told[name] = doctest.testmod(module)
told["dassl"] = sys.modules["dassl"].__file__
told["beside"] = sorted({"compat", "trainers", "datasets"} & sys.modules.keys())
print("\\n" + json.dumps(told))
"""


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A folder with the small CLIP, where the examples look for it, and nothing else of the checkout."""
    (tmp_path / SHAPES_CLIP).parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / SHAPES_CLIP, tmp_path / SHAPES_CLIP)
    return tmp_path


def test_the_examples_run_away_from_the_checkout(site, elsewhere):
    done = run(sys.executable, "-c", EXAMPLES, folder=elsewhere, paths=(site,))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for name in ("clip", "ship", "estimators"):
        failed, attempted = told[name]
        assert not failed, done.stdout
        assert attempted > 3
    assert told["beside"] == []
    if os.environ.get("SHIP_ENGINE") != "dassl":
        assert told["dassl"] == str(site / "ship_dassl/compat/dassl/__init__.py")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_object_has_an_example(name):
    assert any(test.examples for test in doctest.DocTestFinder().find(PUBLIC[name], name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_is_documented_and_typed(name):
    function = FUNCTIONS[name]
    assert function.__doc__
    signature = inspect.signature(function)
    given = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    assert all(parameter.annotation is not parameter.empty for parameter in given)
    assert signature.return_annotation is not signature.empty
