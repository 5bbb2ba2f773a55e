"""The plot of the growth benchmark; needs matplotlib."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from report.figures import GREY, PAGE, STYLE
from report.looks import COLOURS

from .growth import Series

COLOUR = COLOURS["linear"]
SPREAD = 50  # from this ratio of the greatest value to the least on, axes are logarithmic


def growth_figure(series: Sequence[Series]) -> Figure:
    """Seconds of a step, a panel per thing that was varied; filled where prompts are recomputed."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(PAGE, 2.3), layout="constrained")
        for axes, one in zip(figure.subplots(1, len(series), squeeze=False)[0], series, strict=True):
            panel(axes, one)
        axes.figure.axes[0].set_ylabel("Seconds a step")
        marks = {"mec": COLOUR, "marker": "o", "linestyle": "none"}
        handles = [
            Line2D([], [], mfc="white", **marks, label="prompts at once"),
            Line2D([], [], mfc=COLOUR, **marks, label="in parts, recomputed"),
            Line2D([], [], color=GREY, linestyle=":", label="proportional to token passes"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        return figure


def panel(axes: Axes, series: Series) -> None:
    points, colour = series.points, COLOUR
    values, seconds = [point.value for point in points], [point.seconds for point in points]
    middle = points[len(points) // 2]
    expected = [point.passes * middle.seconds / middle.passes for point in points]
    axes.plot(values, expected, color=GREY, linestyle=":")
    axes.plot(values, seconds, color=colour)
    for point in points:
        face = colour if point.recomputed else "white"
        axes.plot(point.value, point.seconds, marker="o", mfc=face, mec=colour)
    axes.set_xlabel(series.varied[0].upper() + series.varied[1:])
    axes.set_title(series.others)
    if max(values) > SPREAD * min(values):
        axes.set(xscale="log", yscale="log")
    else:
        axes.set_ylim(bottom=0)
