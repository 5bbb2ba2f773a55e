"""The drawing of a long tail: accuracy by group of classes, each method alone and with SHIP. Needs matplotlib."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .blocks import Block
from .figures import GREY, PAGE, STYLE, add_legend
from .looks import Look, Named, add_all, looks
from .series import Cell


def groups_figure(block: Block, names: Sequence[Named], titles: Sequence[str]) -> Figure:
    """Each method's figures, alone and with SHIP on one line; a panel per column of the block, of one scale."""
    lines = list(dict.fromkeys(name.method for name in names))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(PAGE, 0.95 + 0.21 * len(lines)), layout="constrained")
        panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
        for index, (axes, title) in enumerate(zip(panels, titles, strict=True)):
            _pair_panel(axes, lines, [row.cells[index] for row in block.rows], names)
            axes.set(title=title, xlabel="Accuracy (%)")
        panels[0].set_yticks(range(len(lines)), lines)
        panels[0].set_ylim(len(lines) - 0.5, -0.5)
        kinds = [Look("alone", 0, GREY, "white", False, ()), Look("with SHIP", 0, GREY, GREY, True, ())]
        partial = any(cell.mean is not None and not cell.has_all_seeds for row in block.rows for cell in row.cells)
        add_legend(figure, kinds, 2, partial, numbered=False)
        return figure


def _pair_panel(axes: Axes, lines: Sequence[str], cells: Sequence[Cell], names: Sequence[Named]) -> None:
    """A line's method alone stands a little above the same with SHIP."""
    for cell, look, name in zip(cells, looks(names), names, strict=False):
        if cell.mean is not None:
            place = lines.index(name.method) + (0.16 if name.carried else -0.16)
            shown = look if cell.has_all_seeds else look.pale()
            axes.errorbar(cell.mean, place, xerr=cell.std, fmt="none", ecolor=shown.colour, elinewidth=0.8)
            add_all(axes, shown.artists([cell.mean], [place], numbered=False), 3)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(left=False)
