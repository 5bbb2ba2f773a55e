"""How far what a GPU computes may be from the CPU's in fp32, by precision; and that these comparisons notice faults.

Measured are distances that do not grow with the number of values: of unit vectors, relative ones of losses, and
relative ones of all of a method's gradients together.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize


class Tolerance(NamedTuple):
    """The largest distance of features, and the largest relative ones of losses, of gradients and logits."""

    features: float
    loss: float
    gradients: float


TOLERANCES = {  # beside each, what rounding alone made on the CPU with the small CLIPs of tests/gpu
    "fp32": Tolerance(5e-5, 1e-4, 2e-3),  # 7e-7, 0, 0
    "fp16": Tolerance(1e-2, 1e-2, 5e-2),  # 2e-3, 7e-4, 4e-3
    "amp": Tolerance(1e-2, 1e-2, 0.1),  # 1e-3, 5e-4, 2e-2
    "mixed": Tolerance(1e-2, 1e-2, 5e-2),  # 1e-3, 2e-4, 2e-3
    "bf16": Tolerance(6e-2, 6e-2, 0.3),  # 1e-2, 6e-3, 4e-2
}
ERRORS = 3  # standard errors of a difference of two accuracies, which other random numbers may make


class Apart(AssertionError):
    """Values are further apart than they may be, or are not finite."""


def check(what: str, apart: float, allowed: float) -> None:
    if not apart <= allowed:  # NaN is not
        raise Apart(f"{what}: {apart:.2g} apart, and at most {allowed:.2g} is allowed")


def check_features(found: Tensor, expected: Tensor, precision: str) -> None:
    """Unit vectors (N, D): the largest distance of two."""
    distance = (found.detach().float().cpu() - expected.detach()).norm(dim=-1).max()
    check(f"features in {precision}", float(distance), TOLERANCES[precision].features)


def check_loss(found: Tensor, expected: Tensor, precision: str) -> None:
    value, wanted = float(found), float(expected)
    check(f"loss in {precision}", abs(value - wanted) / max(1.0, abs(wanted)), TOLERANCES[precision].loss)


def check_tensors(what: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor], precision: str) -> None:
    """Tensors by name, gradients or logits: the norm of all differences, relative to that of what is expected."""
    if found.keys() != expected.keys():
        raise Apart(f"{what}: of {sorted(found)}, and expected are those of {sorted(expected)}")
    one, other = (together(some, expected) for some in (found, expected))
    apart, size = float((one - other).norm()), float(other.norm())
    check(f"{what} in {precision}", apart / size if size else apart, TOLERANCES[precision].gradients)


def together(tensors: Mapping[str, Tensor], names: Iterable[str]) -> Tensor:
    """All numbers of the tensors, in the order of the names, as one vector."""
    return torch.cat([tensors[name].detach().double().cpu().flatten() for name in names])


def check_accuracy(found: float, expected: float, images: int) -> None:
    """Accuracies in % of two runs that drew other random numbers, on so many images."""
    share = min(max(expected / 100, 1 / images), 1 - 1 / images)
    check("accuracy", abs(found - expected), 100 * ERRORS * math.sqrt(2 * share * (1 - share) / images))


# --- that they notice faults

Case = tuple[str, Callable, tuple, bool]  # what it is, a comparison and its values, whether it should pass


def self_test() -> list[str]:
    """Comparisons that pass what they should not, or do not pass what they should; none, if all is well."""
    every = {precision: cases(precision) for precision in TOLERANCES} | {"accuracies": accuracies()}
    return [f"{of}: {title}" for of, some in every.items() for title, *case, good in some if passes(*case) != good]


def cases(precision: str) -> list[Case]:
    """Values that are equal, nearer than they have to be, too far apart, not finite, or lacking."""
    allowed, draw = TOLERANCES[precision], torch.Generator().manual_seed(0)
    unit = normalize(torch.randn(4, 8, generator=draw), dim=-1)
    loss, tensors = torch.tensor(2.0), {"a": unit, "b": torch.ones(3)}

    def features(title: str, found: Tensor, good: bool) -> Case:
        return f"{title} features", check_features, (found, unit, precision), good

    def losses(title: str, factor: float, good: bool) -> Case:
        return f"{title} loss", check_loss, (factor * loss, loss, precision), good

    def gradients(title: str, factor: float, good: bool, names: str = "ab") -> Case:
        found = {name: factor * tensors[name] for name in names}
        return f"{title} gradients", check_tensors, ("gradients", found, tensors, precision), good

    away = torch.zeros_like(unit)
    away[0, 0] = allowed.features
    return [
        features("equal", unit, True),
        features("near", unit + away / 2, True),
        features("far", unit + 2 * away, False),
        features("NaN", unit * math.nan, False),
        losses("near", 1 + allowed.loss / 2, True),
        losses("far", 1 + 2 * allowed.loss, False),
        losses("NaN", math.nan, False),
        gradients("near", 1 + allowed.gradients / 2, True),
        gradients("far", 1 + 2 * allowed.gradients, False),
        gradients("infinite", math.inf, False),
        gradients("lacking", 1.0, False, names="a"),
    ]


def accuracies() -> list[Case]:
    """Of 2,500 images, where a difference of some 4 points is noise."""
    near, far = ((50.0, 50.0), (53.0, 50.0)), ((58.0, 50.0), (0.0, 100.0), (math.nan, 50.0))
    pairs = dict.fromkeys(near, True) | dict.fromkeys(far, False)
    return [(f"{pair}", check_accuracy, (*pair, 2500), good) for pair, good in pairs.items()]


def passes(compare: Callable, values: tuple) -> bool:
    try:
        compare(*values)
    except Apart:
        return False
    return True
