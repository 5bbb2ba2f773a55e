"""Runs sorted into the rows of a table: one method each, whose recipe may differ between datasets."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from protocols.layout import BENCHMARK
from protocols.methods import CLASSIFIERS, METHODS, SHIP, TRAINERS, classifier_in

from .results import RunResult

EPOCHS_OR_DATASET = re.compile(r"_(?:ep\d+|imagenet)(?=_|/|$)")  # what CoOp and its descendants vary by dataset


@dataclass(frozen=True)
class MethodRuns:
    """A row: a trainer, its recipe (the most frequent one where there are several) and its runs."""

    trainer: str
    recipe: str
    runs: Sequence[RunResult]
    place: str = ""  # its OUTPUT folder, where another row has the same runs
    calibration: str = ""  # that all its runs have, see Outcome

    def select(self, **wanted: object) -> list[RunResult]:
        """The runs whose identity has these values, such as dataset and part."""
        return [run for run in self.runs if all(getattr(run.id, name) == value for name, value in wanted.items())]

    @property
    def recipes(self) -> list[str]:
        return sorted({run.id.recipe for run in self.runs})

    def label(self, dataset: str | None = None) -> str:
        """The recipe, on a dataset where one is given, calibration, and the folder if that tells two rows apart."""
        here = most_frequent([run.id.recipe for run in self.runs if run.id.dataset == dataset])
        label = ", ".join(filter(None, (here or self.recipe, self.calibration)))
        return f"{label} ({self.place})" if self.place else label


def methods_of(runs: Iterable[RunResult]) -> list[MethodRuns]:
    """Rows in the order of protocols.methods, by family and year; SHIP last, in the order of what it is on.

    Recipes that differ in epochs or dataset make one row unless they meet in a dataset; each calibration has a row
    of its own; the same run under two OUTPUT folders makes two rows, which then name the folder.
    """
    found = []
    for group in _split(list(runs), (_family, _recipe, _place)):
        recipe = most_frequent([run.id.recipe for run in group])
        found.append(MethodRuns(group[0].id.trainer, recipe, group, calibration=group[0].outcome.calibration))
    twice = Counter((method.trainer, method.recipe, method.calibration) for method in found)
    for index, method in enumerate(found):
        if twice[method.trainer, method.recipe, method.calibration] > 1:
            found[index] = replace(method, place=str(method.runs[0].output))
    return sorted(found, key=_rank)


def _family(run: RunResult) -> tuple:
    return run.outcome.calibration, run.id.trainer, EPOCHS_OR_DATASET.sub("", run.id.recipe)


def _recipe(run: RunResult) -> tuple:
    return run.outcome.calibration, run.id.trainer, run.id.recipe


def _place(run: RunResult) -> tuple:
    return *_recipe(run), str(run.output)


def _split(runs: list[RunResult], keys: Sequence[Callable[[RunResult], tuple]]) -> Iterator[list[RunResult]]:
    groups = defaultdict(list)
    for run in runs:
        groups[keys[0](run)].append(run)
    for group in groups.values():
        if len(keys) > 1 and _clash(group):
            yield from _split(group, keys[1:])
        else:
            yield group


def _clash(runs: Sequence[RunResult]) -> bool:
    """Whether a dataset has two recipes at the same shots, or the same run twice."""
    recipes = {(run.id.dataset, run.id.shots, run.id.recipe) for run in runs}
    places = {(run.id.dataset, run.id.shots) for run in runs}
    cells = {(run.id.dataset, run.id.shots, run.id.part, run.id.seed) for run in runs}
    return len(recipes) > len(places) or len(cells) < len(runs)


def _rank(method: MethodRuns) -> tuple:
    known = TRAINERS.index(method.trainer) if method.trainer in TRAINERS else len(TRAINERS)  # others follow
    carrier = CLASSIFIERS.index(classifier_in(method.recipe)) if method.trainer == METHODS[SHIP].trainer else 0
    return known, method.trainer, carrier, len(method.recipe), method.recipe, method.calibration


def most_frequent(names: Sequence[str]) -> str:
    """The name that occurs most often, of several the shortest; empty for none."""
    counts = Counter(names)
    return min(counts, key=lambda name: (-counts[name], len(name), name), default="")


def in_order(datasets: Iterable[str]) -> list[str]:
    """CoOp's order of datasets; others follow by name."""
    return sorted(set(datasets), key=lambda name: (BENCHMARK.index(name) if name in BENCHMARK else 99, name))
