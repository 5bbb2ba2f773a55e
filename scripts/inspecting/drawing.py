"""Figures of a run's numbers, without a background, in colours that are read on white and on black."""

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from report.figures import STYLE

WIDTH = 3.9  # inches, so that letters can be read on a phone
INK, GREY = "#1a1b1c", "#808080"  # the first becomes the colour of the page's letters
BLUE, ORANGE, GREEN, PURPLE = "#2b8cc4", "#d9661f", "#17a279", "#c571a4"  # near Okabe and Ito's
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#b59f00", "#8f6bd8", "#c2453d", "#4aa3a8", "#8a7a5c", "#7f8fa6")
LOOK = {
    **STYLE,
    **dict.fromkeys(("font.size", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 8.5),
    **dict.fromkeys(("axes.labelsize", "axes.titlesize"), 9.0),
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "text.parse_math": False,  # a class name may have dollars in it
    "svg.fonttype": "none",  # letters stay letters, in the page's font
    "svg.hashsalt": "inspect",  # the same figure has the same bytes
    "font.family": ["DejaVu Sans"],
}
AT_MOST = 30  # classes in a figure: of more, the best and the worst
KINDS = {"real, base": ("o", 13), "real, new": ("^", 17), "synthesized": ("x", 20)}  # marker and its size
PANELS = 5  # curves of a stage that are shown


def draw_all(numbers: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures that a run's numbers allow, by name."""
    with matplotlib.rc_context(LOOK):
        return dict(_figures(numbers))


def draw_differences(differences: Sequence[dict[str, Any]]) -> dict[str, Figure]:
    """A figure for each run that is compared with the first one."""
    with matplotlib.rc_context(LOOK):
        return {f"differences_{at}": _differences(one["by_class"]) for at, one in enumerate(differences, start=1)}


def _figures(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    if predictions := numbers["predictions"]:
        yield "accuracy_by_class", accuracy_by_class(predictions["by_class"])
        yield "calibration", reliability(predictions["calibration"])
    for index, stage in enumerate(numbers["curves"], start=1):
        yield f"curves_{index}", curves(stage)
    if text := numbers["text_features"]:
        yield "text_features", before_and_after(text["by_class"])
    ship = numbers["ship"] or {}
    if ship.get("reconstruction"):
        rows = ship["reconstruction"]["by_class"]
        labels = {"template": "template's text feature", "reconstruction": "reconstruction"}
        yield "reconstruction", pairs_by_class(rows, labels, "Mean cosine to the real feature")
    if ship.get("latent"):
        yield "latent", latent(ship["latent"])
    if ship.get("map"):
        yield "map", points(ship["map"])
    if ship.get("spread"):
        labels = {"template": "template's text feature", "mean": "mean of synthesized features"}
        yield "means", pairs_by_class(ship["spread"]["by_class"], labels, "Distance to the mean of real features")


def as_svg(figure: Figure) -> str:
    """The figure as an element of a page, with its ink in the page's own colour."""
    text = as_bytes(figure, "svg").decode()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return drawing.replace(INK, "currentColor")


def as_bytes(figure: Figure, ending: str) -> bytes:
    """The figure as svg, png or pdf; the last two are on white."""
    file = io.BytesIO()
    options = {"svg": {"metadata": {"Date": None}}, "png": {"facecolor": "white", "dpi": 200}}
    with matplotlib.rc_context(LOOK):
        figure.savefig(file, format=ending, **options.get(ending, {"facecolor": "white"}))
    return file.getvalue()


def extremes(rows: Sequence[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """All rows from the highest value to the lowest; of too many, the first and the last."""
    ordered = sorted(rows, key=lambda row: -row[column])
    return ordered if len(rows) <= AT_MOST else [*ordered[: AT_MOST // 2], *ordered[-AT_MOST // 2 :]]


def accuracy_by_class(rows: Sequence[dict[str, Any]]) -> Figure:
    shown = extremes(rows, "accuracy")
    figure, axes = _rows([row["class"] for row in shown])
    axes.barh(range(len(shown)), [row["accuracy"] for row in shown], height=0.62, color=BLUE)
    mean = sum(row["accuracy"] for row in rows) / len(rows)
    axes.axvline(mean, color=ORANGE, linewidth=1, label=f"mean of all classes, {mean:.1f}%")
    axes.set(xlim=(0, 100), xlabel="Accuracy (%)")
    _legend(figure)
    return figure


def reliability(calibration: Mapping[str, Any]) -> Figure:
    """Accuracy against confidence, and below it how many pictures there are."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = calibration["bins"]
    middle = [(one["from"] + one["to"]) / 2 for one in bins]
    width = 100 / calibration["count"]
    above.bar(middle, [one["accuracy"] for one in bins], width=0.9 * width, color=BLUE, label="accuracy in the bin")
    above.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle="--", label="as confident as right")
    above.plot([one["confidence"] for one in bins], [one["accuracy"] for one in bins], "o", color=ORANGE, ms=4)
    above.set(ylabel="Accuracy (%)", ylim=(0, 100), xlim=(0, 100))
    below.bar(middle, [one["pictures"] for one in bins], width=0.9 * width, color=GREY)
    below.set(xlabel="Confidence (%)", ylabel="Pictures")
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    _legend(figure)
    return figure


def curves(stage: Mapping[str, Any]) -> Figure:
    """A panel for each of the stage's first curves."""
    shown = stage["curves"][:PANELS]
    figure = Figure(figsize=(WIDTH, 0.4 + 1.15 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, curve in zip(panels, shown, strict=True):
        axes.plot(curve["steps"], curve["values"], color=BLUE)
        axes.set_ylabel(UNITS.get(curve["name"], curve["name"]))
        axes.yaxis.set_major_locator(MaxNLocator(3))
    panels[-1].set_xlabel("Step")
    return figure


UNITS = {"acc": "acc (%)", "kl": "kl (nats)"}


def before_and_after(rows: Sequence[dict[str, Any]]) -> Figure:
    """A line from each class's text feature before to that after, in the plane of the principal components."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="First principal component", ylabel="Second principal component")
    for part, colour in (("base", BLUE), ("new", ORANGE)):
        some = [row for row in rows if row["part"] == part]
        for row in some:
            axes.plot(*zip(row["before"], row["after"], strict=True), color=colour, linewidth=0.6, alpha=0.6)
        if some:
            before, after = ([row[name] for row in some] for name in ("before", "after"))
            axes.plot(*zip(*before, strict=True), "o", mfc="none", mec=colour, ms=5, label=f"{part}, before")
            axes.plot(*zip(*after, strict=True), "o", color=colour, ms=4, label=f"{part}, after")
    _legend(figure)
    return figure


def pairs_by_class(rows: Sequence[dict[str, Any]], labels: Mapping[str, str], axis: str) -> Figure:
    """Two values of each class on one line: the first is the baseline. New classes have triangles."""
    first, second = labels
    shown = extremes(rows, second)
    figure, axes = _rows([row["class"] for row in shown])
    for place, row in enumerate(shown):
        axes.plot([row[first], row[second]], [place, place], color=GREY, linewidth=0.7, zorder=1)
    for part, marker in (("base", "o"), ("new", "^")):
        places = [place for place, row in enumerate(shown) if row["part"] == part]
        for column, colour in ((first, GREY), (second, BLUE)):
            if places:
                label = f"{labels[column]}, {part}"
                axes.plot([shown[at][column] for at in places], places, marker, color=colour, ms=5, label=label)
    axes.set_xlabel(axis)
    _legend(figure, 1)
    return figure


def latent(numbers: Mapping[str, Any]) -> Figure:
    """KL divergence of each dimension, the largest first."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.add_subplot(xlabel="Latent dimensions, by their KL divergence", ylabel="KL divergence (nats)")
    values = sorted(numbers["kl"], reverse=True)
    axes.fill_between(range(1, len(values) + 1), values, color=BLUE, step="mid", alpha=0.35, linewidth=0)
    axes.step(range(1, len(values) + 1), values, color=BLUE, where="mid", linewidth=1)
    axes.set(ylim=(0, None), xlim=(0.5, len(values) + 0.5))
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))
    return figure


def points(numbers: Mapping[str, Any]) -> Figure:
    """The map: colours are classes, shapes are kinds of features."""
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(point["class"] for point in numbers["points"]))
    for kind, (marker, size) in KINDS.items():
        for index, name in enumerate(names):
            some = [point["at"] for point in numbers["points"] if (point["kind"], point["class"]) == (kind, name)]
            if some:
                style = {"marker": marker, "s": size, "color": COLOURS[index % len(COLOURS)], "linewidths": 0.9}
                axes.scatter(*zip(*some, strict=True), alpha=0.85, **style)
    for kind, (marker, _) in KINDS.items():
        if any(point["kind"] == kind for point in numbers["points"]):
            axes.plot([], [], marker, color=GREY, ms=5, label=kind)
    figure.legend(loc="outside upper center", ncols=len(KINDS), handletextpad=0.1, columnspacing=1.2)
    handles = [
        Line2D([], [], marker="s", ls="none", color=COLOURS[at % len(COLOURS)], ms=5) for at in range(len(names))
    ]
    axes.set(xticks=[], yticks=[])
    _legend(figure, 3, handles, [shortened(name, 18) for name in names])
    return figure


def _differences(rows: Sequence[dict[str, Any]]) -> Figure:
    """Differences by class in points, from the largest gain to the largest loss."""
    shown = extremes(rows, "difference")
    figure, axes = _rows([row["class"] for row in shown])
    colours = [GREEN if row["difference"] >= 0 else ORANGE for row in shown]
    axes.barh(range(len(shown)), [row["difference"] for row in shown], height=0.62, color=colours)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("Difference in accuracy (points)")
    return figure


def _rows(names: Sequence[str]) -> tuple[Figure, Axes]:
    """Axes with a row for each name, from the top."""
    figure = Figure(figsize=(WIDTH, 0.9 + 0.185 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GREY, linewidth=0.4, alpha=0.4)
    axes.set_axisbelow(True)
    return figure, axes


def shortened(name: str, most: int = 24) -> str:
    """As a figure has it; matplotlib leaves labels out that begin with an underscore."""
    name = f" {name}" if name.startswith("_") else name
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _legend(figure: Figure, columns: int = 2, handles: Sequence = (), labels: Sequence[str] = ()) -> None:
    """Below the picture, which grows by its height; unless others are given, of what the first axes have."""
    if not handles:
        handles, labels = figure.axes[0].get_legend_handles_labels()
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + 0.17 * rows)
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        handletextpad=0.4,
        columnspacing=1.2,
    )
