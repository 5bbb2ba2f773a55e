"""The drawing of xd and dg: accuracy by target, the source apart. Needs matplotlib."""

import math
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .blocks import Block
from .figures import COLUMN, GREY, NUMBER, PAGE, STYLE, add_legend
from .looks import Look, Named, add_all, looks
from .series import Cell

Dot = tuple[Cell, Look]
LANE = NUMBER + 1.0  # points of height that a row has for each method, of those that lie beside each other
BETWEEN = 0.6  # lanes between rows
MOST = 6  # rows with one scale, the source and the mean among them
ACROSS = 4  # panels beside each other
AROUND = 1.55  # inches of height for titles, axis and legend


def targets(block: Block, names: Sequence[Named]) -> Figure:
    """The source, then each target and their mean: the methods by accuracy, with deviations over seeds.

    Methods of about the same accuracy lie one above the other. Up to MOST rows have one scale; more become panels
    with scales of their own, since a scale for all would leave no room between methods.
    """
    rows = list(zip(block.rows, looks(names), strict=False))
    places = columns(block)
    dots = [[(row.cells[at], look) for row, look in rows if row.cells[at].mean is not None] for at in places]
    shown = [look for row, look in rows if any(cell.mean is not None for cell in row.cells)]
    partial = any(not cell.has_all_seeds for row in dots for cell, _ in row)
    with matplotlib.rc_context(STYLE):
        if len(places) > MOST:
            titles = [block.columns[at] for at in places]
            return _panels([f"{titles[0]} (source)", *titles[1:]], dots, shown, partial)
        figure = Figure(figsize=(COLUMN, 3.0), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        names_of = parts([block.columns[at] for at in places])
        for axes, title, labels in zip(panels, ("Source", "Targets"), names_of, strict=True):
            axes.set_title(title, loc="left")
            axes.set_yticks(range(len(labels)), labels)
        panels[1].set_xlabel("Accuracy (%)")
        panels[0].set_xlim(*_limits([dot for row in dots for dot in row]))
        add_legend(figure, shown, 3, partial)
        figure.draw_without_rendering()  # after which the panels' width is known
        legend = figure.legends[0].get_window_extent().height / figure.dpi
        lanes = [in_lanes([cell.mean for cell, _ in row], _gap(panels[1])) for row in dots]
        heights = [_rows(*panel) for panel in zip(panels, parts(dots), parts(lanes), strict=True)]
        panels[0].get_gridspec().set_height_ratios(heights)
        figure.set_figheight(sum(heights) * LANE / 72 + AROUND - 0.5 + legend)
        return figure


def _panels(titles: Sequence[str], dots: Sequence[Sequence[Dot]], shown: Sequence[Look], partial: bool) -> Figure:
    """A panel for each, over the width of a page."""
    down = math.ceil(len(titles) / ACROSS)
    figure = Figure(figsize=(PAGE, 1.2 * down + 0.5), layout="constrained")
    panels = list(figure.subplots(down, ACROSS).flat)
    for place, (axes, title, row) in enumerate(zip(panels, titles, dots, strict=False)):
        axes.set_title(title)
        axes.set_xlabel("Accuracy (%)" if place + ACROSS >= len(titles) else "")
        axes.set_yticks([0], [""])
        axes.set_xlim(*_limits(row))
    for axes in panels[len(titles) :]:
        axes.axis("off")
    add_legend(figure, shown, 6, partial)
    figure.draw_without_rendering()  # after which the panels' width is known
    lanes = [in_lanes([cell.mean for cell, _ in row], _gap(axes)) for axes, row in zip(panels, dots, strict=False)]
    own = [_rows(axes, [row], [lane]) for axes, row, lane in zip(panels, dots, lanes, strict=False)]
    heights = [max(own[start : start + ACROSS]) for start in range(0, len(own), ACROSS)]
    for place, (axes, height) in enumerate(zip(panels, own, strict=False)):
        most = heights[place // ACROSS]
        axes.set_ylim((height + most) / 2, (height - most) / 2)
        axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    panels[0].get_gridspec().set_height_ratios(heights)
    legend = figure.legends[0].get_window_extent().height / figure.dpi
    figure.set_figheight(sum(heights) * LANE / 72 + 0.5 * down + 0.35 + legend)
    return figure


def columns(block: Block) -> range:
    """Of the source, the targets and their mean, which says nothing of a single target."""
    return range(len(block.columns) - (len(block.columns) == 3))


def parts(values: Sequence) -> tuple[Sequence, Sequence]:
    """The source's, and the targets'."""
    return values[:1], values[1:]


def in_lanes(values: Sequence[float], gap: float) -> list[int]:
    """A lane for each value, from 0 on, so that those in one lane are a gap apart: in their order, the first free."""
    found, ends = [0] * len(values), []
    for index in sorted(range(len(values)), key=values.__getitem__):
        free = (lane for lane, end in enumerate(ends) if values[index] - end >= gap)
        lane = next(free, len(ends))
        ends[lane : lane + 1] = [values[index]]
        found[index] = lane
    return found


def _limits(dots: Sequence[Dot]) -> tuple[float, float]:
    ends = [cell.mean + way * (cell.std or 0) for cell, _ in dots for way in (-1, 1)]
    margin = max(0.05 * (max(ends) - min(ends)), 1)
    return min(ends) - margin, max(ends) + margin


def _gap(axes: Axes) -> float:
    """What a method's number takes, on the axis."""
    low, high = axes.get_xlim()
    return (high - low) * LANE / (axes.get_window_extent().width * 72 / axes.figure.dpi)


def _rows(axes: Axes, rows: Sequence[Sequence[Dot]], lanes: Sequence[Sequence[int]]) -> float:
    """Draws a panel, from the top; its height in lanes."""
    labels = [label.get_text() for label in axes.get_yticklabels()]
    top, ticks = BETWEEN / 2, []
    for place, (row, own) in enumerate(zip(rows, lanes, strict=True)):
        height = max(own, default=0) + 1
        for (cell, look), lane in zip(row, own, strict=True):
            drawn = look if cell.has_all_seeds else look.pale()
            axes.errorbar(cell.mean, top + lane + 0.5, xerr=cell.std, fmt="none", ecolor=drawn.colour, elinewidth=0.8)
            add_all(axes, drawn.artists([cell.mean], [top + lane + 0.5]), 3)
        ticks.append(top + height / 2)
        top += height + BETWEEN
        if place + 1 < len(rows):
            last = place + 2 == len(rows)  # before the mean, or what is in its place
            axes.axhline(top - BETWEEN / 2, color=GREY if last else "#E5E5E5", linewidth=0.6, zorder=0)
    axes.set_yticks(ticks, labels)
    axes.set_ylim(top - BETWEEN / 2, 0)
    axes.tick_params(left=False)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.5)
    axes.set_axisbelow(True)
    return top - BETWEEN / 2
