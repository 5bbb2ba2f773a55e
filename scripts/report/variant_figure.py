"""The drawing of an ablation: its figures by variant. Needs matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figures import COLUMN, GREY, PAGE, STYLE
from .looks import Look, Named, add_all, looks

SIZE = 5.5  # of a marker, points
LINE = 0.13  # inches that a line of a label takes


@dataclass(frozen=True)
class Drawn:
    """A row: its label, in lines; its method; a figure and its error by column, None where there is none."""

    label: str
    method: Named
    figures: Sequence[tuple[float, float | None] | None]
    whole: bool = True  # whether it rests on all runs


def variants_figure(variants: Sequence[Drawn], columns: Sequence[str], reference: str) -> Figure:
    """A row per variant, from the top, and a panel per column; differences (Δ …) are to the reference, at 0."""
    found = looks([variant.method for variant in variants])
    heights = [max(1.4, 1 + variant.label.count("\n")) for variant in variants]
    middles = [sum(heights[:place]) + height / 2 for place, height in enumerate(heights)]
    with matplotlib.rc_context(STYLE):
        size = (COLUMN if len(columns) <= 2 else PAGE, 0.9 + LINE * sum(heights))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for index, (axes, column) in enumerate(zip(panels, columns, strict=True)):
            shown = [look if variant.whole else look.pale() for look, variant in zip(found, variants, strict=True)]
            _panel(axes, [variant.figures[index] for variant in variants], middles, shown, column.startswith("Δ"))
            axes.set_title(column)
        panels[0].set_yticks(middles, [variant.label for variant in variants])
        panels[0].set_ylim(sum(heights), 0)
        pale = "" if all(variant.whole for variant in variants) else "; pale: not all runs"
        kinds = " H: of base and new classes; G: of seen and unseen ones, all competing." if "G" in columns else ""
        notes = f"In %; Δ in points, to {reference}{pale}.\nLines: standard errors, clustered by class split.{kinds}"
        figure.supxlabel(notes, fontsize=STYLE["font.size"])
        return figure


def _panel(
    axes: Axes,
    figures: Sequence[tuple[float, float | None] | None],
    middles: Sequence[float],
    shown: Sequence[Look],
    signed: bool,
) -> None:
    ends = [0.0] * signed
    for entry, middle, look in zip(figures, middles, shown, strict=True):
        text = "–"
        if entry is not None:
            value, error = entry
            ends += [value - (error or 0), value + (error or 0)]
            axes.errorbar(value, middle, xerr=error, fmt="none", ecolor=look.colour, elinewidth=0.9)
            (marker,) = look.artists([value], [middle], numbered=False)
            marker.set_markersize(SIZE)
            add_all(axes, [marker], 3)
            text = f"{value:{'+' if signed else ''}.2f}".replace("-", "−")
        axes.text(1, middle, text, transform=axes.get_yaxis_transform(), ha="right", va="center")
    if signed:
        axes.axvline(0, color="black", linewidth=0.6, zorder=0)
    low, high = min(ends, default=0), max(ends, default=1)
    margin = max(0.05 * (high - low), 0.1)
    axes.set_xlim(low - margin, low - margin + 1.6 * (high - low + 2 * margin))  # the right part is for the numbers
    ticks = MaxNLocator(2, steps=[1, 2, 5, 10]).tick_values(low, high)
    axes.set_xticks([tick for tick in ticks if low - margin <= tick <= high + margin])
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
