"""Which engine `compat.ensure` chooses, and that `import clip` works; each case in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_INSTALLED_DASSL = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        folders = [folder for folder in sys.path if "site-packages" not in folder]
        return super().find_spec(name, folders if name == "dassl" else path, target)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""
FAKE_DASSL = {"__init__.py": "__version__ = '0.6.3'", "engine/__init__.py": ""}


def write_package(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(code, *paths, **env):
    """Run `code` in the repository with `paths` in front of the search path; return the finished process.

    A Dassl that is installed is not found.
    """
    code = WITHOUT_INSTALLED_DASSL + code
    env = {k: v for k, v in os.environ.items() if k not in ("SHIP_ENGINE", "PYTHONPATH")} | env
    env |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)


def output(code, *paths, **env):
    process = run(code, *paths, **env)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@pytest.fixture(scope="module")
def fake_dassl(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    write_package(folder, {f"dassl/{name}": text for name, text in FAKE_DASSL.items()})
    return folder


@pytest.fixture(scope="module")
def no_clip(tmp_path_factory):
    """A `clip` that imports in no time, for the cases that are not about it."""
    folder = tmp_path_factory.mktemp("no_clip")
    write_package(folder, {"clip/__init__.py": ""})
    return folder


def test_older_python_ends_in_one_line(no_clip):
    process = run("import sys; sys.version_info, sys.version = (3, 9, 1, 'final', 0), '3.9.1 (old)'; import compat")
    assert process.returncode == 1
    assert process.stderr == "error: Python 3.10 or newer is needed, and this is Python 3.9.1.\n"


def test_without_dassl_the_builtin_engine_answers_to_its_name(no_clip):
    code = """
import compat, sys
engine = compat.ensure()
import dassl
print(engine.name, engine, dassl.__file__, compat.ensure() is engine, sep="|")
assert not any("compat" in path for path in sys.path)
"""
    name, text, file, same = output(code, no_clip).split("|")
    assert (name, text, same) == ("builtin", "built-in (0.6.3 API, compat/dassl)", "True")
    assert Path(file) == ROOT / "compat" / "dassl" / "__init__.py"


def test_installed_dassl_is_preferred(no_clip, fake_dassl):
    assert output("import compat; print(compat.ensure())", no_clip, fake_dassl) == "Dassl 0.6.3"


def test_dassl_that_cannot_be_imported_is_an_error(no_clip, tmp_path):
    write_package(tmp_path, {"dassl/__init__.py": "", "dassl/engine/__init__.py": "import no_such_module"})
    process = run("import compat; compat.ensure()", no_clip, tmp_path)
    assert (
        "EngineError: Dassl is installed but cannot be imported: No module named 'no_such_module'" in process.stderr
    )


def test_ship_engine_forces_the_builtin_one(no_clip, fake_dassl):
    code = "import compat; print(compat.ensure().name)"
    assert output(code, no_clip, fake_dassl, SHIP_ENGINE="builtin") == "builtin"


def test_builtin_engine_on_the_search_path_is_not_taken_for_dassl(no_clip):
    code = "import dassl.config, compat; print(compat.ensure().name)"
    assert output(code, no_clip, ROOT / "compat") == "builtin"


def test_folder_named_dassl_is_not_taken_for_dassl(no_clip, tmp_path):
    (tmp_path / "dassl").mkdir()
    assert output("import compat; print(compat.ensure().name)", no_clip, tmp_path) == "builtin"


@pytest.mark.parametrize(
    ("value", "message"),
    [("dassl", "bash scripts/install_dassl.sh"), ("other", "builtin, dassl")],
)
def test_engine_that_cannot_be_is_an_error(no_clip, value, message):
    process = run("import compat; compat.ensure()", no_clip, SHIP_ENGINE=value)
    assert process.returncode != 0
    assert "EngineError" in process.stderr
    assert message in process.stderr


def test_builtin_engine_is_refused_after_dassl_was_imported(no_clip, fake_dassl):
    process = run("import dassl, compat; compat.ensure()", no_clip, fake_dassl, SHIP_ENGINE="builtin")
    assert "imported already" in process.stderr


PKG_RESOURCES = {
    "whole": "import packaging.version; name = 'real'",
    "without packaging": "name = 'real'",
    "missing": "raise ModuleNotFoundError(\"No module named 'pkg_resources'\", name='pkg_resources')",
}


@pytest.mark.parametrize("state", PKG_RESOURCES)
def test_clip_imports_and_leaves_no_stand_in(tmp_path, state):
    write_package(
        tmp_path,
        {
            "pkg_resources.py": PKG_RESOURCES[state],
            "clip/__init__.py": "from .clip import *",
            "clip/clip.py": "from pkg_resources import packaging\nparsed = packaging.version.parse('2.0')",
        },
    )
    code = """
import compat, sys
compat.ensure()
import clip
print(clip.parsed, getattr(sys.modules.get("pkg_resources"), "name", None))
"""
    assert output(code, tmp_path) == f"2.0 {None if state == 'missing' else 'real'}"


def test_installed_clip_imports():
    code = "import compat, sys; compat.ensure(); import clip; print(clip.tokenize('a cat').shape[1])"
    assert output(code) == "77"


def test_other_fault_of_clip_is_not_hidden(tmp_path):
    write_package(tmp_path, {"clip/__init__.py": "import no_such_module"})
    assert "no_such_module" in run("import compat; compat.ensure()", tmp_path).stderr
