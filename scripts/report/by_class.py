"""Accuracy by class of two methods, over the seeds that both have, as results.json has it."""

import json
import statistics
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocols.layout import RECORD

from trainers.blocks.run.classes import Classes

from .blocks import Block
from .choice import method_of
from .results import RunResult
from .rows import MethodRuns

PARTS = {"base2new": ("base", "new"), "gzsl": ("all",)}  # whose classes are shown


@dataclass(frozen=True)
class Point:
    """A class with its accuracy by the one and by the other method, in %."""

    name: str
    base: bool
    one: float
    other: float

    @property
    def difference(self) -> float:
        return self.other - self.one


@dataclass(frozen=True)
class Versus:
    """Two methods on a dataset, `seeds` of them, by class."""

    block: Block
    methods: tuple[MethodRuns, MethodRuns]
    seeds: int
    points: Sequence[Point]


def pairs(
    blocks: Iterable[Block], names: Sequence[tuple[str, str]], trained: Iterable[RunResult]
) -> Iterator[Versus]:
    """Two methods against each other on each dataset of the blocks; each is named as by choice.method_of.

    `trained`: the runs on base classes, which tell what is base. Pairs without a class in common are left out.
    """
    trained = list(trained)
    for block in blocks:
        if len(block.datasets) > 1:
            continue
        base = base_classes(run for run in trained if run.id.dataset == block.name)
        one, other = ([method for method in block.methods if method_of(method.runs[0]) == name] for name in names)
        for methods in ((a, b) for a in one for b in other if a is not b):
            found = versus(block, methods, base)
            if found.points:
                yield found


def base_classes(runs: Iterable[RunResult]) -> set[Hashable]:
    """What tells apart the classes that were trained on; those of one seed, since all have the same."""
    for run in runs:
        if run.id.part == "base" and (found := accuracies(run.id.folder)):
            return set(found)
    return set()


def versus(block: Block, methods: tuple[MethodRuns, MethodRuns], base: set[Hashable]) -> Versus:
    """Means by class over the seeds that both have."""
    names, values = {}, (defaultdict(list), defaultdict(list))
    by_seed = [by_run(method, block) for method in methods]
    seeds = sorted(by_seed[0].keys() & by_seed[1].keys(), key=str)
    for seed in seeds:
        for found, kept in zip(by_seed, values, strict=True):
            for key, (name, accuracy) in found[seed].items():
                names[key] = name
                kept[key].append(accuracy)
    points = [
        Point(names[key], key in base, *(statistics.fmean(kept[key]) for kept in values))
        for key in names
        if all(key in kept for kept in values)
    ]
    return Versus(block, methods, len(seeds), points)


def by_run(method: MethodRuns, block: Block) -> dict[int | None, dict[Hashable, tuple[str, float]]]:
    """By seed, the classes of all parts of the protocol."""
    found = defaultdict(dict)
    for part in PARTS[block.protocol]:
        for run in method.select(dataset=block.name, part=part):
            found[run.id.seed] |= accuracies(run.id.folder)
    return found


def accuracies(folder: Path) -> dict[Hashable, tuple[str, float]]:
    """By what tells a class apart, its name and accuracy; nothing where there is no results.json that has them."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        classes, found = Classes.from_plain(record), record["per_class_accuracy"]
        keys = classes.keys(by_id=bool(classes.ids))
        named = zip(keys, classes.distinct(), strict=True)
        return {key: (name, float(found[name])) for key, name in named if name in found}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
