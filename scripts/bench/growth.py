"""What a training step costs against the number of classes, the length of the context and of class names."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

from torch import Tensor

from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.methods.prompt_learner import PromptLearner

from .made_up import class_names
from .measure import counts, show, timed
from .parts import CONTEXT, StageTwo
from .tables import seconds, text

REAL = 256  # features a step, as in the recipes, and as many synthesized
LONG = 8  # seconds: steps that take longer are not repeated


@dataclass(frozen=True)
class Setting:
    """A step: classes, context tokens (None: "a photo of a"), tokens of a class name (None: as ImageNet's)."""

    classes: int = 100
    context: int | None = None
    name_tokens: int | None = None


@dataclass
class Point:
    """What a step took; `passes` of tokens through the text tower, forward (recomputed ones twice) and backward.

    at_once: the most class prompts that were encoded at once. recomputed: those that the backward pass ran again.
    """

    value: int
    seconds: float
    passes: int
    at_once: int
    recomputed: int


@dataclass
class Series:
    """Points of settings that differ in one thing."""

    varied: str
    others: str
    settings: dict[int, Setting]
    points: list[Point] = field(default_factory=list)


def planned(classes: Sequence[int], contexts: Sequence[int], tokens: Sequence[int]) -> list[Series]:
    return [
        Series("classes", "4 context tokens, names as ImageNet's", {n: Setting(n) for n in classes}),
        Series("context tokens", "100 classes, names as ImageNet's", {n: Setting(context=n) for n in contexts}),
        Series("tokens a class name", "100 classes, 4 context tokens", {n: Setting(name_tokens=n) for n in tokens}),
    ]


def measure(series: Iterable[Series], backbone: Backbone, repeats: int) -> None:
    """Fills in the points."""
    StageTwo(backbone, class_names(10), REAL)()  # the first step takes longer
    for one in series:
        for value, setting in one.settings.items():
            show(f"{value} {one.varied}")
            one.points.append(point(value, setting, backbone, repeats))


def point(value: int, setting: Setting, backbone: Backbone, repeats: int) -> Point:
    """A warm-up and the median of `repeats`; a step that is long, once."""
    step = StageTwo(backbone, class_names(setting.classes, setting.name_tokens), REAL, setting.context)
    first: list[float] = []
    with counts(backbone.model) as seen, parts_of(backbone) as parts:
        timed(step, first)
    times: list[float] = []
    while first[0] < LONG and len(times) < repeats:
        timed(step, times)
    at_once = min(setting.classes, max(parts))
    passes = seen["tokens"] + seen["backward"]
    again = sum(parts) - setting.classes
    return Point(value, statistics.median(times or first), passes, at_once, again)


@contextmanager
def parts_of(backbone: Backbone) -> Iterator[list[int]]:
    """How many prompts of classes the text encoder is run on at once; those of features share SOS alone."""
    sizes, run = [], backbone.text.run_suffix

    def noted(past: list, suffix: Tensor, ends: Sequence[int]) -> Tensor:
        groups, _, shared, _ = past[0][0].shape
        if shared > 1:
            sizes.append(groups * len(suffix))
        return run(past, suffix, ends)

    with mock.patch.object(backbone.text, "run_suffix", noted):
        yield sizes


def prompts_at_once(backbone: Backbone) -> int:
    """How many class prompts, of names as ImageNet's and with 4 context tokens, are encoded without recomputation."""
    prefix, suffix, eot = PromptLearner(backbone.text, class_names(1000), ctx_init=CONTEXT)()
    typical = float(eot.float().mean()) + 1
    return backbone.text.chunks.budget // backbone.text.bytes_each(prefix, suffix, typical)


def table(series: Series) -> str:
    headers = (series.varied, "s", "token\npasses", "ms per\n1000 passes", "prompts\nat once", "run\nagain")
    lines = [
        [
            f"{point.value:,}",
            seconds(point.seconds),
            f"{point.passes:,}",
            f"{1e6 * point.seconds / point.passes:.0f}",
            f"{point.at_once:,}",
            f"{point.recomputed:,}",
        ]
        for point in series.points
    ]
    return f"{series.others}\n\n{text(headers, lines)}"
