"""Tables and JSON of what was measured and what is computed from it."""

from collections.abc import Sequence
from dataclasses import asdict

from tabulate import tabulate

from . import full_size
from .full_size import Part
from .measure import Cost, Row

MEASURED = (
    *("", "plain\ns", "ours\ns", "ratio", "tokens\nplain", "tokens\nours", "images\nplain", "images\nours"),
    *("of peak\nplain", "of peak\nours", "GB\nplain", "GB\nours"),
)
COMPUTED = (
    *("", "s each\nplain", "s each\nours", "number\nplain", "number\nours", "number\nreference"),
    *("hours\nplain", "hours\nours", "hours\nreference"),
)


def measured(rows: Sequence[Row], peak: float) -> str:
    """Both ways of each part; the operations a second as a share of the peak."""
    return text(MEASURED, [measured_cells(row, peak) for row in rows])


def measured_cells(row: Row, peak: float) -> list[str]:
    costs = row.ways.values()
    return [
        row.title,
        *(seconds(cost.seconds) for cost in costs),
        f"{row.ratio:.1f}",
        *(f"{cost.tokens:,}" for cost in costs),
        *(f"{cost.images:,}" for cost in costs),
        *(f"{share(cost, peak):.0%}" for cost in costs),
        *("–" if cost.gigabytes is None else f"{cost.gigabytes:.2f}" for cost in costs),
    ]


def share(cost: Cost, peak: float) -> float:
    return cost.operations / cost.seconds / peak


def computed(parts: Sequence[Part]) -> str:
    """What a full-size run consists of, with its sum and how many times as long as ours the others take."""
    lines = [
        [part.title, seconds(part.plain), seconds(part.ours)]
        + [f"{number:,.0f}" for number in part.times.values()]
        + [f"{part.hours(name):.2f}" for name in part.times]
        for part in parts
    ]
    total = full_size.hours(parts)
    sums = ["sum", *5 * [""], *(f"{value:.2f}" for value in total.values())]
    ratios = ["times ours", *5 * [""], *(f"{value / total['ours']:.1f}" for value in total.values())]
    return text(COMPUTED, [*lines, sums, ratios])


def seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def text(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(lines, headers, colalign=align, disable_numparse=True)


def as_json(row: Row, peak: float) -> dict:
    ways = {way: {**asdict(cost), "share_of_peak": share(cost, peak)} for way, cost in row.ways.items()}
    return {"title": row.title, "ratio": row.ratio, **ways}
