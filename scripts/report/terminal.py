"""Tables of at most 100 columns: long names wrap, differences stand under figures, what is wider goes on below."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from tabulate import tabulate

WIDTH = 100
NAME, NOTE = 14, 20  # characters of a line of a name or a column's head, and of a note
GAP, MARGIN = 2, 2  # between columns, and what tabulate leaves beside a head


def wrap(name: str, width: int = NAME) -> str:
    """The name in lines, broken behind _, - and / and at blanks; a word that is too long is cut."""
    lines = textwrap.wrap(re.sub(r"([_/-])", r"\1 ", name), width, break_on_hyphens=False)
    return "\n".join(re.sub(r"([_/-]) ", r"\1", line) for line in lines)


def cell(figure: str, note: str = "", difference: str = "") -> str:
    """A figure, with its note and its difference to the reference in lines below."""
    return "\n".join(line for line in (figure, wrap(note, NOTE), difference) if line)


def grids(names: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Tables of the rows, which begin with cells for `names`; each has as many columns as fit, at least one."""
    heads = [*names, *map(wrap, columns)]
    widths = [max(_width(head) + MARGIN, *(_width(row[i]) for row in rows)) + GAP for i, head in enumerate(heads)]
    count, place = len(names), len(names)
    left = WIDTH + GAP - sum(widths[:count])
    while place < len(heads):
        end = place + 1
        while end < len(heads) and sum(widths[place : end + 1]) <= left:
            end += 1
        shown = [*range(count), *range(place, end)]
        align = (*["left"] * count, *["right"] * (end - place))
        lines = [[row[i] for i in shown] for row in rows]
        yield tabulate(lines, [heads[i] for i in shown], disable_numparse=True, colalign=align)
        place = end


def _width(cell: str) -> int:
    return max(map(len, cell.split("\n")))
