"""Keys of the configuration, declared once: default, what values they can have, what they mean."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from yacs.config import CfgNode

from .errors import InputError, did_you_mean

LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Rule:
    """What a value must be: the test, and the words for it; `choices` where it is one of a few names."""

    holds: Callable[[object], bool]
    words: str
    choices: tuple[str, ...] = ()


def whole(least: int, most: float = math.inf, also: str = "") -> Rule:
    words = f"a whole number of at least {least}" if most == math.inf else f"a whole number from {least} to {most}"
    return Rule(lambda value: type(value) is int and least <= value <= most, words + also)


def number(least: float, most: float = math.inf, above: bool = False) -> Rule:
    """A finite number; `above`: greater than the least."""

    def holds(value: object) -> bool:
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return numeric and least <= value <= most and not (above and value == least)

    if most < math.inf:
        return Rule(holds, f"a number from {least} to {most}{f', and not {least}' if above else ''}")
    return Rule(holds, f"a finite number {'above' if above else 'of at least'} {least}")


def one_of(*choices: str) -> Rule:
    return Rule(lambda value: value in choices, "one of " + ", ".join(choices), choices)


def several(count: int | None, each: Rule, words: str) -> Rule:
    """A tuple or list; of any length where the count is None."""

    def holds(value: object) -> bool:
        return (
            isinstance(value, (tuple, list)) and count in (None, len(value)) and all(each.holds(one) for one in value)
        )

    return Rule(holds, words, each.choices)


def only(value: object, why: str) -> Rule:
    return Rule(lambda given: given is value, f"{value}: {why}")


TEXT = Rule(lambda value: isinstance(value, str), "text")
TRUTH = Rule(lambda value: isinstance(value, bool), "True or False")
POSITIVE, NOT_NEGATIVE, SHARE = number(0, above=True), number(0), number(0, 1)
AT_LEAST_ONE, AT_LEAST_ZERO = whole(1), whole(0)


@dataclass(frozen=True)
class Key:
    """A key of the configuration: its default, the rule that its value obeys, and what it means, in a line."""

    default: object
    rule: Rule
    meaning: str


Keys = Mapping[str, Key]


def defaults(keys: Keys) -> CfgNode:
    """A new node with the defaults of these keys."""
    return CfgNode({name: key.default for name, key in keys.items()})


def check_value(name: str, value: object, rule: Rule) -> None:
    """Raises InputError where a value breaks its key's rule, or is a larger number than PyTorch has."""
    if type(value) is int and value > LARGEST:
        raise InputError(f"{name} is {value!r}, which is too large: whole numbers end with {LARGEST}.")
    if rule.holds(value):
        return
    given = value if isinstance(value, (tuple, list)) else [value]
    wrong = [one for one in given if rule.choices and one not in rule.choices]
    hint = did_you_mean(str(wrong[0]), rule.choices) if wrong else ""
    raise InputError(f"{name} is {value!r}; it should be {rule.words}.{hint}")
