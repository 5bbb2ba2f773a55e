"""Drawings for papers, as wide as a column (3.3 inches) or a page of two, with letters of 7 points and more.

Needs matplotlib. How methods are told apart is in looks.py.
"""

import math
from collections.abc import Iterable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.ticker import MaxNLocator

from .blocks import Block
from .looks import Look, Named, add_all, looks
from .series import Cell

COLUMN, PAGE = 3.3, 6.9  # inches
NUMBER = 10.0  # points that a method's number takes in height and width
LEGEND = 0.5  # inches of height that figures have for their legend; a taller one is added to them
STYLE = {
    **dict.fromkeys(
        ("font.size", "xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"), 7.0
    ),
    **dict.fromkeys(("axes.labelsize", "axes.titlesize"), 8.0),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    "lines.linewidth": 1.2,
    "lines.markersize": 5.0,
    "pdf.fonttype": 42,  # letters stay letters, as venues ask
}
GAIN, LOSS, GREY = "#009E73", "#D55E00", "#767676"
STEPS = (0.5, 1, 2, 5, 10, 20)  # between curves of equal H


def scatter(
    block: Block, names: Sequence[Named], axes_of: Sequence[str] = ("Base accuracy", "New accuracy")
) -> Figure:
    """Base against new accuracy, all methods that have both, with curves of equal H and the seeds' deviations.

    `axes_of`: what the first two columns are, where they are others.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 3.2), layout="constrained")
        axes = figure.add_subplot(**{way: f"{of} (%)" for way, of in zip(("xlabel", "ylabel"), axes_of, strict=True)})
        points, shown, partial = [], [], False
        for row, look in zip(block.rows, looks(names), strict=False):
            base, new, h, *_ = row.cells
            if h.mean is not None:
                points.append((base.mean, new.mean))
                shown.append(look)
                partial |= not h.has_all_seeds
                add_point(axes, base.mean, new, look if h.has_all_seeds else look.pale(), xerr=base.std)
        _limits(axes)
        _equal_h(axes, points)
        add_legend(figure, shown, 3, partial)
        return figure


def curves(blocks: Sequence[Block], names: Sequence[Named], titles: Sequence[str]) -> Figure:
    """Accuracy against shots, a panel per block; shots are evenly spaced, whatever their number."""
    across = min(len(blocks), 4)
    down = math.ceil(len(blocks) / across)
    size = (COLUMN, 2.8) if across == 1 else (PAGE * across / 4, 0.5 + 1.5 * down)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        panels, partial = list(figure.subplots(down, across, squeeze=False).flat), False
        for place, (axes, block, title) in enumerate(zip(panels, blocks, titles, strict=False)):
            partial |= _curve(axes, block, looks(names), (190, 120) if across == 1 else (95, 65))
            axes.set_title(title)
            axes.set_ylabel("" if place % across else "Accuracy (%)")
            axes.set_xlabel("Training images per class" if place + across >= len(blocks) else "")
        for axes in panels[len(blocks) :]:
            axes.axis("off")
        shown = [look for row, look in zip(blocks[0].rows, looks(names), strict=False) if _has_figures(row.cells)]
        add_legend(figure, shown, 6, partial)
        return figure


def _has_figures(cells: Sequence[Cell]) -> bool:
    return any(cell.mean is not None for cell in cells)


def bars(
    names: Sequence[str],
    columns: Sequence[str],
    changes: Sequence[Sequence[tuple[float | None, float | None]]],
    label: str,
) -> Figure:
    """Differences in points with their deviations: a row per name, from the top, a panel per column, of one scale."""
    ends = [
        value + way * (spread or 0)
        for row in changes
        for value, spread in row
        if value is not None
        for way in (-1, 1)
    ]
    low, high = min([0, *ends]), max([0, *ends])
    ticks = [tick for tick in MaxNLocator(2).tick_values(low, high) if low <= tick <= high]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 0.6 + 0.16 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for index, (axes, column) in enumerate(zip(panels, columns, strict=True)):
            _bar_panel(axes, [row[index] for row in changes])
            axes.set_title(column)
            axes.set_xlim(low, low + 2 * max(high - low, 1))  # the right half is for the numbers
            axes.set_xticks(ticks)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        panels[len(panels) // 2].set_xlabel(label)
        return figure


def add_point(axes: Axes, x: float, cell: Cell, look: Look, xerr: float | None = None, numbered: bool = True) -> None:
    axes.errorbar(x, cell.mean, cell.std, xerr, fmt="none", ecolor=look.colour, elinewidth=0.8)
    add_all(axes, look.artists([x], [cell.mean], numbered), 3)


def _numbers(axes: Axes, ends: Sequence[tuple[float, float, Look]], last: int, size: tuple[float, float]) -> None:
    """Each method's number beside the end (x, y) of its curve, right of all, so that none covers another.

    `last`: the last shots' x. `size`: of the axes in points. What does not fit in one column takes further ones.
    """
    width, height = size
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * NUMBER / height
    columns = max(1, math.ceil(len(ends) * gap / (top - bottom)))
    step = (last + 0.4) * NUMBER / max(NUMBER, width - (columns + 1) * NUMBER)
    ordered = sorted(ends, key=lambda end: end[1])
    for column in range(columns):
        members = ordered[column::columns]
        places = spread([y for _, y, _ in members], gap, bottom, top)
        for (x, y, look), place in zip(members, places, strict=True):
            at = last + (column + 1) * step
            axes.plot([x, at], [y, place], color=look.colour, linewidth=0.5, alpha=0.6, zorder=1.5)
            add_all(axes, look.artists([at], [place]), 4)
    axes.set(ylim=(bottom, top), xlim=(-0.2, last + columns * step + step / 2))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, which ascend: a gap apart, and within low and high where they fit."""
    places = []
    for value in wanted:
        places.append(max(value, places[-1] + gap if places else low + gap / 2))
    limit = high - gap / 2
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit)
        limit = places[index] - gap
    return places


def _limits(axes: Axes) -> None:
    """The points and their deviations with a margin; above 0, where H ends."""
    for (low, high), setter in (
        (axes.dataLim.intervalx, axes.set_xlim),
        (axes.dataLim.intervaly, axes.set_ylim),
    ):
        margin = max(0.08 * (high - low), 1)
        setter(max(low - margin, 0.1), high + margin)


def _equal_h(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Some six curves of equal harmonic mean at most, each with its H where it is farthest from the points."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    lowest, highest = 2 * left * bottom / (left + bottom), 2 * right * top / (right + top)
    step = next((step for step in STEPS if (highest - lowest) / step <= 6), STEPS[-1])
    for h in (step * n for n in range(math.ceil(lowest / step), math.floor(highest / step) + 1)):
        bases = [left + (right - left) * i / 400 for i in range(401)]
        curve = [(base, h * base / (2 * base - h)) for base in bases if 2 * base > h]
        curve = [(base, new) for base, new in curve if bottom <= new <= top]
        if len(curve) > 60:  # a shorter piece, in a corner, has no room for its number
            axes.plot(*zip(*curve, strict=True), color="#CFCFCF", linewidth=0.7, zorder=0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            where = _farthest(axes, curve[25:-25], points)
            axes.text(*where, f"H {h:g}", ha="center", va="center", color=GREY, bbox=box, zorder=0.5)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _farthest(
    axes: Axes, curve: Iterable[tuple[float, float]], points: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The place on a curve that is farthest from its nearest point, as the eye sees it, away from the edges."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()

    def room(place: tuple[float, float]) -> float:
        x, y = (place[0] - left) / (right - left), (place[1] - bottom) / (top - bottom)
        others = [((a - left) / (right - left), (b - bottom) / (top - bottom)) for a, b in points]
        edges = [2 * min(x, 1 - x), 2 * min(y, 1 - y)]
        return min([math.dist((x, y), other) for other in others] + edges)

    return max(curve, key=room)


def _curve(axes: Axes, block: Block, styles: Sequence[Look], size: tuple[float, float]) -> bool:
    """One panel of about that size in points; whether a figure rests on fewer seeds than it should."""
    partial, ends = False, []
    for row, look in zip(block.rows, styles, strict=False):
        points = [(place, cell) for place, cell in enumerate(row.cells) if cell.mean is not None]
        if [block.columns[place] for place, _ in points] == ["0"]:  # untrained
            axes.axhline(points[0][1].mean, color=look.colour, linewidth=0.7, linestyle=":", zorder=1)
        axes.plot([place for place, _ in points], [cell.mean for _, cell in points], **look.line)
        for place, cell in points:
            partial |= not cell.has_all_seeds
            add_point(axes, place, cell, look if cell.has_all_seeds else look.pale(), numbered=False)
        if points:
            ends.append((points[-1][0], points[-1][1].mean, look))
    _numbers(axes, ends, len(block.columns) - 1, size)
    axes.set_xticks(range(len(block.columns)), ["all" if name == "-1" else name for name in block.columns])
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.5)
    axes.set_axisbelow(True)
    return partial


def _bar_panel(axes: Axes, changes: Sequence[tuple[float | None, float | None]]) -> None:
    for place, (value, spread) in enumerate(changes):
        if value is not None:
            bar = {"height": 0.68, "color": GAIN if value >= 0 else LOSS}
            axes.barh(place, value, xerr=spread, error_kw={"elinewidth": 0.8}, **bar)
        text = "–" if value is None else f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")
        axes.text(1, place, text, transform=axes.get_yaxis_transform(), ha="right", va="center")
    axes.axvline(0, color="black", linewidth=0.6)
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def add_legend(
    figure: Figure, shown: Sequence[Look], most: int, partial: bool = False, numbered: bool = True
) -> None:
    """Below the picture, which it makes room for, in as many columns as the width takes."""
    handles, labels = [tuple(look.artists([], [], numbered)) for look in shown], [look.label for look in shown]
    spacing = {"columnspacing": 1.0, "handletextpad": 0.3, "handlelength": 1.2, "labelspacing": 0.35}
    if partial:
        spacing["title"] = "pale: not all seeds"
    for columns in range(max(1, min(most, len(labels))), 0, -1):
        legend = figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=columns,
            handler_map={tuple: HandlerTuple(ndivide=1, pad=0)},
            **spacing,
        )
        box = legend.get_window_extent()
        if box.width <= figure.bbox.width or columns == 1:
            figure.set_figheight(figure.get_figheight() + max(0, box.height / figure.dpi - LEGEND))
            return
        legend.remove()
