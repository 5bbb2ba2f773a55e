"""Registries of classes by name, and the check of a name against what is available."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from yacs.config import CfgNode

from ..missing import refuse_upstream_only


class ConfigError(ValueError):
    """Raised for a configuration that cannot be run as it is."""


class UnavailableError(ConfigError):
    """Raised for a name that is not among those available."""


def check_availability(requested: str, available: Iterable[str]) -> None:
    """Raise UnavailableError, with the nearest name, unless `requested` is one of `available`."""
    available = list(available)
    if requested in available:
        return
    by_lower = {name.lower(): name for name in available}
    nearest = get_close_matches(str(requested).lower(), by_lower, n=1, cutoff=0.5)
    hint = f" Did you mean {by_lower[nearest[0]]!r}?" if nearest else ""
    names = ", ".join(sorted(available)) or "(none)"
    raise UnavailableError(f"{requested!r} is not available.{hint} Available: {names}")


class Registry:
    """Classes or functions of one kind by name: `@REGISTRY.register()` above one adds it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._objects: dict[str, Any] = {}

    def register(self, obj: Any | None = None, force: bool = False) -> Callable | None:
        """Add `obj` under its __name__, or return a decorator that does.

        Raises ValueError for a name that is taken, unless `force`.
        """

        def add(obj: Callable) -> Callable:
            if obj.__name__ in self._objects and not force:
                raise ValueError(f"{self._name}: {obj.__name__!r} is registered already")
            self._objects[obj.__name__] = obj
            return obj

        return add if obj is None else add(obj)

    def get(self, name: str) -> Any:
        """Return what is registered as `name`; raise UnavailableError, or MissingPartError if Dassl has it."""
        if name not in self._objects:
            refuse_upstream_only(self._name, name)
            try:
                check_availability(name, self._objects)
            except UnavailableError as error:
                raise UnavailableError(f"{self._name}: {error}") from None
        return self._objects[name]

    def build(self, name: str, cfg: CfgNode, **kwargs: Any) -> Any:
        """Return what `name` makes of `cfg`, with a line about it if cfg.VERBOSE; raises as `get` does."""
        obj = self.get(name)
        if cfg.VERBOSE:
            print(f"Loading {self._name.lower()}: {name}")
        return obj(cfg, **kwargs)

    def registered_names(self) -> list[str]:
        """Return all names, in the order in which they were registered."""
        return list(self._objects)
