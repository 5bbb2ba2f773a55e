"""Make `import dassl` and `import clip` work, whether Dassl is installed or not."""

import functools
import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036 - what runs from a checkout has been refused by no installer
    sys.exit(f"error: Python 3.10 or newer is needed, and this is Python {sys.version.split()[0]}.")

from .dassl.missing import INSTALL_DASSL

_BUILTIN = Path(__file__).resolve().parent / "dassl"
_TRAINERS = "trainers" if __name__ == "compat" else __name__.rpartition(".")[0]  # installed, it is a part of these


class EngineError(RuntimeError):
    """Raised when the engine that was asked for cannot be used."""


@dataclass(frozen=True)
class Engine:
    """Which engine answers to `import dassl`: "builtin" or "dassl", and its version of Dassl's API."""

    name: str
    version: str

    def __str__(self) -> str:
        if self.name == "builtin":
            return f"built-in ({self.version} API, compat/dassl)"
        return f"Dassl {self.version}"


@functools.cache
def ensure() -> Engine:
    """Make `dassl` and `clip` importable and return the engine; call it before importing either.

    Dassl is used where it is installed, and the built-in engine elsewhere; the environment variable
    SHIP_ENGINE=builtin|dassl forces one. Importing the trainers patches it: trainers/blocks/engine/patches.py. Raises
    EngineError. Later calls return the same engine.
    """
    forced = os.environ.get("SHIP_ENGINE", "")
    if forced not in ("", "builtin", "dassl"):
        raise EngineError(f"SHIP_ENGINE is {forced!r}; it can be builtin, dassl or unset")
    installed = _dassl_is_installed()
    if forced == "dassl" and not installed:
        raise EngineError(f"SHIP_ENGINE is dassl, but Dassl is not installed; to install it: {INSTALL_DASSL}")
    use_dassl = installed and forced != "builtin"
    engine = _use_dassl() if use_dassl else _use_builtin()
    importlib.import_module(f"{_TRAINERS}.blocks.clip")  # which supplies what `import clip` asks for
    return engine


def input_errors() -> tuple[type[Exception], ...]:
    """Return what the built-in engine raises for input that is at fault; Dassl has no exceptions of its own."""
    missing = sys.modules.get("dassl.missing")
    if missing is None:
        return (EngineError,)
    return (EngineError, importlib.import_module("dassl.utils").ConfigError, missing.MissingPartError)


def _dassl_is_installed() -> bool:
    """Return whether `dassl` is a package, and not the built-in one, which PYTHONPATH may lead to."""
    spec = importlib.util.find_spec("dassl")
    # A mere folder of that name, without __init__.py, has no origin.
    return bool(spec and spec.origin) and not _is_builtin(spec.origin)


def _is_builtin(file: str) -> bool:
    """Return whether the file is of the built-in engine, this one or that of another copy of this package."""
    return Path(file).with_name("missing.py").is_file()


def _use_dassl() -> Engine:
    try:
        importlib.import_module("dassl.engine")  # which needs nearly all of its dependencies
    except ImportError as error:
        raise EngineError(
            f"Dassl is installed but cannot be imported: {error}; SHIP_ENGINE=builtin does without it"
        ) from error
    try:
        return Engine("dassl", version("dassl"))
    except PackageNotFoundError:
        return Engine("dassl", getattr(sys.modules["dassl"], "__version__", "of unknown version"))


def _use_builtin() -> Engine:
    loaded = sys.modules.get("dassl")
    if loaded is not None and not _is_builtin(loaded.__file__):
        raise EngineError("SHIP_ENGINE is builtin, but Dassl is imported already; call compat.ensure() first")
    if loaded is None:
        loaded = _load_package("dassl", _BUILTIN)
    return Engine("builtin", loaded.__version__.split("+")[0])


def _load_package(name: str, folder: Path) -> object:
    """Import the package in `folder` as `name`, without a search path that would lead to other names."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
