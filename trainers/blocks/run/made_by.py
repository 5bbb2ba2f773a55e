"""What learned weights were made by: stored with them, and compared wherever they are loaded.

Shapes alone do not tell two backbones with features of one size apart, nor two methods that learn the same things.
"""

from collections.abc import Mapping
from functools import partial

from torch import nn

from ..errors import InputError

KEY = "made_by"  # in a state dict; upstream's checkpoints have none


def mark(module: nn.Module, made_by: Mapping[str, str]) -> None:
    """Lets the module's state dicts say what they were made by, and refuse those that say something else.

    `made_by` has the method, the backbone's fingerprint, its name and what else is to be said of it; the last two are
    shown, and not compared.
    """

    module.register_state_dict_post_hook(partial(_store, dict(made_by)))
    module.register_load_state_dict_pre_hook(partial(_compare, dict(made_by)))


def _store(made_by: dict[str, str], module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    state[prefix + KEY] = dict(made_by)


def _compare(made_by: dict[str, str], module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    check(state.pop(prefix + KEY, {}), made_by)


def check(stored: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raises InputError naming what differs, among what both name."""
    if not isinstance(stored, Mapping):
        raise InputError(f"What it was made by is no names of method and backbone, but {type(stored).__name__}.")
    if differs("method", stored, expected):
        raise InputError(f"It was made by {stored['method']}, and this run is of {expected['method']}.")
    if differs("backbone", stored, expected):
        made_with, has = (shown(some) for some in (stored, expected))
        raise InputError(f"It was made with the backbone {made_with}, and this run has {has}.")


def shown(made_by: Mapping[str, str]) -> str:
    """A backbone by its name, its fingerprint and, where that is said, by what decides it beside weights."""
    about = f"; {made_by['backbone_about']}" if "backbone_about" in made_by else ""
    return f"{made_by.get('backbone_name')} (weights {made_by['backbone']}{about})"


def differs(what: str, stored: Mapping[str, str], expected: Mapping[str, str]) -> bool:
    return what in stored and what in expected and stored[what] != expected[what]
