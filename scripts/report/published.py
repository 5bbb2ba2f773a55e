"""Figures from papers: configs/published.yaml, and files of a user's own in the same shape."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from protocols.layout import BENCHMARK, PROTOCOLS

from .series import harmonic

PUBLISHED = Path(__file__).resolve().parents[2] / "configs" / "published.yaml"
SHOTS = 16  # where an entry does not say
SIZES = {"base2new": 2, "gzsl": 3, "longtail": 4}  # figures that a data set has, see _expected


class PublishedError(ValueError):
    """A file of published figures that cannot be used; the message says which, and why."""


@dataclass(frozen=True)
class Published:
    """A paper's row: figures in %, by data set (and `average`), as the protocol has them."""

    method: str
    source: str
    checked: bool
    shots: int
    figures: Mapping[str, object]  # base2new: (base, new); gzsl: (unseen, seen, H); xd, dg: one; fewshot: by shots

    def cells(self, protocol: str, datasets: Sequence[str], columns: Sequence[str]) -> list[float | None]:
        """The row under a table's columns, averaged over several datasets; empty where the paper has no such row."""
        if protocol in ("xd", "dg"):
            source, *targets = (self.figures.get(name) for name in columns[:-1])
            return [source, *targets, _mean(targets)] if any(targets) else []
        parts = [self.figures.get(name) for name in datasets]
        if set(datasets) == set(BENCHMARK) and "average" in self.figures:
            parts = [self.figures["average"]]
        if None in parts:
            return []
        if protocol == "fewshot":
            return [_mean([part.get(int(shots)) for part in parts]) for shots in columns]
        if protocol == "longtail":
            return [_mean(column) for column in zip(*parts, strict=True)]
        first, second, *third = (_mean(column) for column in zip(*parts, strict=True))
        h = third[0] if third and len(parts) == 1 else harmonic(first, second)
        return [first, second, h] if protocol == "base2new" else [second, first, h, None]


def read_published(paths: Iterable[Path], protocol: str) -> list[Published]:
    """The rows for a protocol; raises PublishedError. Rows of xd and dg are one kind: columns tell them apart."""
    sections = ("xd", "dg") if protocol in ("xd", "dg") else (protocol,)
    rows = []
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise PublishedError(f"{path} cannot be read: {error}") from error
        if not isinstance(content, dict) or not all(isinstance(content.get(name) or {}, dict) for name in sections):
            raise PublishedError(f"{path}: not methods by protocol ({', '.join(PROTOCOLS)}), as {PUBLISHED} has them")
        for section in sections:
            for method, entry in (content.get(section) or {}).items():
                rows.append(_row(section, method, entry, f"{path}: {section}: {method}"))
    return rows


def _row(section: str, method: str, entry: object, place: str) -> Published:
    if not isinstance(entry, dict) or not isinstance(entry.get("source"), str):
        raise PublishedError(f"{place}: `source` is missing: say which paper and table the figures are from")
    shots = entry.get("shots", SHOTS)
    if not isinstance(shots, int):
        raise PublishedError(f"{place}: shots is {shots!r}, not a number")
    figures = {key: value for key, value in entry.items() if key not in ("source", "checked", "shots")}
    for dataset, value in figures.items():
        if not _fits(section, value):
            raise PublishedError(f"{place}: {dataset} is {value!r}; {section} has {_expected(section)}, in %")
    return Published(str(method), entry["source"], entry.get("checked") is True, shots, figures)


def _mean(figures: Sequence[float | None]) -> float | None:
    return None if None in figures else statistics.fmean(figures)


def _fits(section: str, value: object) -> bool:
    if section == "fewshot":
        return isinstance(value, dict) and all(isinstance(n, int) and _percent(figure) for n, figure in value.items())
    if section in SIZES:
        return isinstance(value, Sequence) and len(value) == SIZES[section] and all(map(_percent, value))
    return _percent(value)


def _percent(value: object) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 100
    )


def _expected(section: str) -> str:
    shapes = {
        "base2new": "[base, new]",
        "gzsl": "[unseen, seen, H]",
        "fewshot": "{1: figure, 2: figure, …}",
        "longtail": "[many, few, none, accuracy]",
    }
    return shapes.get(section, "one figure")
