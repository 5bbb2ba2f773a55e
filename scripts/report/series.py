"""Figures over seeds: their mean, their H and their average over datasets, with what is missing kept in sight."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .results import RunResult


def deviation(values: Sequence[float]) -> float | None:
    """Of the population; None where there are not several."""
    return statistics.pstdev(values) if len(values) > 1 else None


def clustered_error(values: Mapping[tuple[int, int], float]) -> float | None:
    """The standard error of the mean of figures by (class split, seed); None where there are not several splits.

    Figures of one class split are not independent: they are summed before they are squared (a cluster-robust variance
    with the factor K / (K − 1) for K splits). Where all splits have as many seeds, it is that of the splits' means.
    """
    mean, sums = statistics.fmean(values.values()), {}
    for (split, _), value in values.items():
        sums[split] = sums.get(split, 0.0) + value - mean
    count = len(sums)
    if count < 2:
        return None
    return (count / (count - 1) * sum(total**2 for total in sums.values())) ** 0.5 / len(values)


def harmonic(base: float, new: float) -> float:
    return 2 * base * new / (base + new) if base + new else 0.0


@dataclass(frozen=True)
class Cell:
    """A figure of a table, in %. Where it does not rest on all expected seeds, `note` says on which, or why."""

    mean: float | None = None
    std: float | None = None  # over seeds, of the population; None of a single one, and for a paper's figure
    seeds: int = 0
    expected: int = 0
    marks: str = ""
    note: str = ""
    values: Mapping[int | None, float] = field(default_factory=dict)  # by seed

    @property
    def has_all_seeds(self) -> bool:
        return self.mean is not None and not self.note


@dataclass(frozen=True)
class Series:
    """Figures by seed (None: a run without seed); `marks` of results.MARKS; `trouble`: how other runs ended."""

    values: dict[int | None, float] = field(default_factory=dict)
    marks: str = ""
    trouble: tuple[str, ...] = ()

    def cell(self, expected: int, centre: float | None = None) -> Cell:
        """Mean (or `centre`, where the figure is another function of the means) and deviation."""
        count = len(self.values)
        if not count:
            return Cell(expected=expected, note=" ".join(sorted(set(self.trouble))) or "–")
        note = f"{count} of {expected}" if count < expected else ""
        note = ", ".join([note, *sorted(set(self.trouble))]) if note else ""
        values = list(self.values.values())
        mean = statistics.fmean(values) if centre is None else centre
        return Cell(mean, deviation(values), count, expected, self.marks, note, self.values)


def series_of(runs: Iterable[RunResult], metric: str) -> Series:
    """A metric of runs that differ by seed alone; a complete run without that metric counts as missing."""
    values, marks, trouble = {}, "", []
    for run in runs:
        if metric in run.outcome.metrics:
            values[run.id.seed] = run.outcome.metrics[metric]
            marks += run.outcome.marks
        elif run.outcome.status != "complete":
            trouble.append(run.outcome.status)
    return Series(values, _once(marks), tuple(trouble))


def average(parts: Sequence[Series], what: str = "datasets") -> Series:
    """By seed, the mean over datasets, of the seeds that have them all; says where a dataset is missing."""
    seeds = set.intersection(*(set(part.values) for part in parts))
    present = sum(bool(part.values) for part in parts)
    values = {seed: statistics.fmean(part.values[seed] for part in parts) for seed in sorted(seeds, key=str)}
    trouble = (f"{present} of {len(parts)} {what}" if present < len(parts) else "no seed has all",) if present else ()
    return Series(values, _once("".join(part.marks for part in parts)), () if values else trouble)


def harmonic_cell(a: Series, b: Series, expected: int) -> Cell:
    """H of the mean accuracies, over the seeds that have both; its deviation is that of the seeds' own H."""
    pairs = {seed: (a.values[seed], b.values[seed]) for seed in a.values if seed in b.values}
    own = Series(
        {seed: harmonic(*pair) for seed, pair in pairs.items()}, _once(a.marks + b.marks), a.trouble + b.trouble
    )
    means = [statistics.fmean(column) for column in zip(*pairs.values(), strict=True)]
    return own.cell(expected, harmonic(*means) if means else None)


def _once(marks: str) -> str:
    return "".join(sorted(set(marks)))
