"""The drawing of two methods' accuracies by class. Needs matplotlib."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from .by_class import Point
from .figures import COLUMN, GREY, STYLE
from .looks import BASE, NEW

LABELLED = 5  # classes on each side of the diagonal
SIZE = 14.0  # of a class's marker, square points; of several at one place as much more, up to LARGEST
LARGEST = 20
REACH = (5.0, 9.0, 14.0, 20.0, 27.0)  # points from a class to its name
ANGLES = (0, 180, 45, 135, -45, -135, 90, -90)  # degrees, the first that is free


def versus_figure(points: Sequence[Point], one: str, other: str) -> Figure:
    """A point a class: to the right by the one method's accuracy, up by the other's; on the diagonal both are alike.

    Named are the classes that differ most, on both sides, as far as there is room. Classes at one place make one
    larger point.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, COLUMN + 0.35), layout="constrained")
        axes = figure.add_subplot(xlabel=f"{one}: accuracy by class (%)", ylabel=f"{other}: accuracy by class (%)")
        axes.axline((0, 0), slope=1, color=GREY, linewidth=0.6, zorder=0)
        for title, base, (colour, marker) in (("base", True, BASE), ("new", False, NEW)):
            members = [point for point in points if point.base == base]
            if members:
                _crowd(axes, members, colour, marker, legend_of(title, members))
        axes.set(xlim=(-4, 104), ylim=(-4, 104), aspect="equal")
        axes.set_xticks(range(0, 101, 20))
        axes.set_yticks(range(0, 101, 20))
        figure.legend(loc="outside lower center", title=f"{other} is better on", markerscale=1.0)
        figure.draw_without_rendering()  # after which places are known
        _name(axes, points)
        return figure


def legend_of(title: str, members: Sequence[Point]) -> str:
    better = sum(point.difference > 0 for point in members)
    return f"{better:,} of {len(members):,} {title} classes"


def extremes(points: Sequence[Point]) -> list[Point]:
    """Those that differ most, on each side, the greatest first."""
    ordered = sorted(points, key=lambda point: point.difference)
    ends = [*ordered[:LABELLED], *ordered[-LABELLED:]] if len(ordered) > 2 * LABELLED else ordered
    return sorted((point for point in ends if point.difference), key=lambda point: -abs(point.difference))


def _crowd(axes: Axes, members: Sequence[Point], colour: str, marker: str, label: str) -> None:
    places = Counter((point.one, point.other) for point in members)
    sizes = [SIZE * min(count, LARGEST) for count in places.values()]
    axes.scatter(*zip(*places, strict=True), sizes, colour, marker=marker, alpha=0.65, linewidths=0, clip_on=False)
    axes.scatter([], [], SIZE, colour, marker=marker, linewidths=0, label=label)


def _name(axes: Axes, points: Sequence[Point]) -> None:
    """Writes each name at the nearest place where it covers no other name and as few points as can be."""
    at = [axes.transData.transform((point.one, point.other)) for point in points[:2000]]  # more cover all anyway
    box, taken = axes.get_window_extent(), []
    for point in extremes(points):
        best = None
        for extent, where in _places(axes, point):
            if _within(extent, box) and not any(map(extent.overlaps, taken)):
                covered = _covered(extent, at)
                best = min(best or (covered, extent, where), (covered, extent, where), key=lambda place: place[0])
                if not covered:
                    break
        if best:
            taken.append(best[1])
            _write(axes, point, best[2])


def _places(axes: Axes, point: Point) -> Iterator[tuple[Bbox, tuple[float, float, str, str]]]:
    """Where the name could stand, near ones first: its extent, offset in points, and alignment."""
    for reach in REACH:
        for angle in ANGLES:
            x, y = (reach * way(math.radians(angle)) for way in (math.cos, math.sin))
            across = "left" if x > 1 else "right" if x < -1 else "center"
            up = "bottom" if y > 1 else "top" if y < -1 else "center"
            text = _write(axes, point, (x, y, across, up))
            extent = text.get_window_extent()
            text.remove()
            yield extent, (x, y, across, up)


def _write(axes: Axes, point: Point, where: tuple[float, float, str, str]):
    x, y, across, up = where
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
    text = axes.annotate(
        point.name,
        (point.one, point.other),
        (x, y),
        textcoords="offset points",
        ha=across,
        va=up,
        arrowprops=line if math.hypot(x, y) > REACH[0] else None,
    )
    text.set_in_layout(False)
    return text


def _covered(extent: Bbox, at: Sequence[tuple[float, float]]) -> int:
    return sum(extent.contains(*place) for place in at)


def _within(extent: Bbox, box: Bbox) -> bool:
    return box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 and extent.y1 <= box.y1
