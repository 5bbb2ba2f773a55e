"""Tables and JSON of what was measured and what is computed from it."""

from collections.abc import Sequence
from dataclasses import asdict

from tabulate import tabulate

from .full_size import Part
from .measure import Cost, Row

MEASURED = (
    *("", "plain\ns", "ours\ns", "ratio", "tokens\nplain", "tokens\nours", "images\nplain", "images\nours"),
    *("of peak\nplain", "of peak\nours", "GB\nplain", "GB\nours"),
)
STEPS = ("", "s each\nplain", "s each\nours", "number\nplain", "number\nours", "number\nreference")
TOTALS = ("", "hours\nplain", "hours\nours", "hours\nreference", "plain\n/ ours", "reference\n/ ours")


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


def steps(parts: Sequence[Part]) -> str:
    """What a full-size run consists of."""
    lines = [
        [part.title, seconds(part.plain), seconds(part.ours), *(f"{number:,.0f}" for number in part.times.values())]
        for part in parts
    ]
    return text(STEPS, lines)


def totals(hours: dict[str, dict[str, float]]) -> str:
    """Hours of such runs, and how many times as long as ours the others take."""
    return text(TOTALS, [beside_ours(title, run) for title, run in hours.items()])


def beside_ours(title: str, times: dict[str, float]) -> list[str]:
    """The cells of a line: times of each procedure, and how many times as long as ours the others take."""
    ratios = [f"{times[other] / times['ours']:.1f}" if times["ours"] else "–" for other in ("plain", "reference")]
    return [title, *(seconds(value) for value in times.values()), *ratios]


def seconds(value: float) -> str:
    return f"{value:#.3g}" if value < 100 else f"{value:.0f}"


def text(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(lines, headers, colalign=align, disable_numparse=True)


def as_json(row: Row, peak: float) -> dict:
    ways = {way: {**asdict(cost), "share_of_peak": share(cost, peak)} for way, cost in row.ways.items()}
    return {"title": row.title, "ratio": row.ratio, **ways}
