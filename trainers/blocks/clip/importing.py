"""Import CLIP where setuptools no longer has what it asks for."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType


def import_clip() -> None:
    """Import clip, and supply `pkg_resources.packaging` for that where it is gone: clip parses a version with it.

    Without clip nothing happens: what needs it says so.
    """
    if importlib.util.find_spec("clip") is None:
        return
    try:
        importlib.import_module("clip")
    except ImportError as error:
        # setuptools 70 dropped `packaging` from it, and setuptools 82 all of `pkg_resources`.
        if "pkg_resources" not in str(error):
            raise
        with _stand_in_for_pkg_resources():
            importlib.import_module("clip")


@contextlib.contextmanager
def _stand_in_for_pkg_resources() -> Iterator[None]:
    import packaging.version

    stand_in = ModuleType("pkg_resources")
    stand_in.packaging = packaging
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        yield
    finally:
        del sys.modules["pkg_resources"]
        if before is not None:
            sys.modules["pkg_resources"] = before
