"""Blocks as text (laid out in terminal.py), Markdown or LaTeX, with the notes that they need; CSV is in long_form."""

import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from . import terminal
from .blocks import Block, Row
from .long_form import as_csv
from .notes import UNCHECKED, notes

FORMATS = ("text", "markdown", "latex", "csv")
NAMES = {
    "base2new": "base-to-new",
    "gzsl": "generalized zero-shot",
    "xd": "cross-dataset",
    "dg": "domain shift",
    "fewshot": "few-shot",
    "longtail": "long-tailed",
}
NARROW = 4  # up to so many columns, seeds and differences stand beside them; else differences make a table below
TABULATE = {"markdown": "pipe", "latex": "latex_raw"}
BOLD = {"text": "{}", "markdown": "**{}**", "latex": r"\textbf{{{}}}"}
SIGNS = {
    "text": {},
    "markdown": {sign: f"\\{sign}" for sign in "\\*|<"},
    "latex": {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "Δ": r"$\Delta$",
        "–": "--",
        "−": "$-$",
        "†": r"$^\dagger$",
        "‡": r"$^\ddagger$",
        "§": r"$^\S$",
    },
}


def render(blocks: Sequence[Block], format: str) -> str:
    """All blocks, then the notes that they need."""
    if format == "csv":
        return as_csv([block for block in blocks if not block.is_across])  # whose figures the others have
    grids = on_terminal if format == "text" else in_document
    tables = [(escape(title(block), format), grids(block, format)) for block in blocks]
    remarks = [escape(note, format) for note in notes(blocks, bold=format != "text")]
    return {"text": _text, "markdown": _markdown, "latex": _latex}[format](tables, remarks)


def _text(tables: Sequence[tuple[str, list[str]]], remarks: Sequence[str]) -> str:
    notes = "\n".join(textwrap.fill(remark, terminal.WIDTH) for remark in remarks)
    return "\n\n".join([*("\n".join([name, "\n\n".join(parts)]) for name, parts in tables), notes])


def _markdown(tables: Sequence[tuple[str, list[str]]], remarks: Sequence[str]) -> str:
    parts = [part for name, parts in tables for part in (f"**{name}**", *parts)]
    return "\n\n".join([*parts, "\n".join(f"- {remark}" for remark in remarks)])


def _latex(tables: Sequence[tuple[str, list[str]]], remarks: Sequence[str]) -> str:
    parts = ["% needs \\usepackage{booktabs}"]
    for index, (name, grids) in enumerate(tables, start=1):
        star = "*" if max(grid.count("&", 0, grid.index(r"\\")) for grid in grids) > 5 else ""
        body = "\n\n\\medskip\n".join(_booktabs(grid) for grid in grids)
        below = ["", r"\medskip\raggedright\footnotesize", "\n\n".join(remarks)] if index == len(tables) else []
        head = [rf"\begin{{table{star}}}[t]", r"\centering", rf"\caption{{{name}}}", body]
        parts.append("\n".join([*head, *below, rf"\end{{table{star}}}"]))
    return "\n\n".join(parts)


def _booktabs(grid: str) -> str:
    for rule in ("toprule", "midrule", "bottomrule"):
        grid = grid.replace("\\hline", f"\\{rule}", 1)
    return grid


def escape(text: str, format: str) -> str:
    return "".join(SIGNS[format].get(sign, sign) for sign in text)


def title(block: Block) -> str:
    shots = "" if block.shots in (None, 0) else f", {_shots(block.shots)}"
    shots += " and fewer" if block.protocol == "longtail" else ""
    seeds = f", seeds {' '.join(map(str, block.seeds))}" if block.seeds else ""
    what = f", {block.what}" if block.what else ""
    return f"{block.title}{shots}, {NAMES[block.protocol]}{what}{seeds}"


def on_terminal(block: Block, format: str) -> list[str]:
    """The table in parts of 100 columns, each difference under its figure."""
    rows = []
    for row in block.rows:
        names = [terminal.wrap(name) for name in _method(row, format)]
        rows.append([*names, *(_with_difference(block, row, index) for index in range(len(row.cells)))])
    return list(terminal.grids(("method", "recipe"), _columns(block), rows))


def _with_difference(block: Block, row: Row, index: int) -> str:
    figure, _, note = _shown(block, row, index, "text").partition(" (")
    difference = _difference(block, row, index, "text")
    return terminal.cell(figure, f"({note}" if note else "", "" if difference == "–" else difference)


def _columns(block: Block) -> list[str]:
    return [_shots(int(name)) for name in block.columns] if block.shots is None else list(block.columns)


def in_document(block: Block, format: str) -> list[str]:
    """The table, and that of the differences where they do not stand beside the figures."""
    columns = _columns(block)
    places = range(len(columns))
    methods = [_method(row, format) for row in block.rows]
    figures = [[_shown(block, row, index, format) for index in places] for row in block.rows]
    changes = [[_difference(block, row, index, format) for index in places] for row in block.rows]
    seeds = [[_seeds(row)] for row in block.rows]
    if len(columns) > NARROW:
        table = _grid(["method", "recipe", *columns], _beside(methods, figures), format)
        compared = [line for line, row in zip(_beside(methods, changes), changes, strict=True) if _says(row, format)]
        return [table, _grid(["Δ", "recipe", *columns], compared, format)] if block.compares else [table]
    if not block.compares:
        return [_grid(["method", "recipe", *columns, "seeds"], _beside(methods, figures, seeds), format)]
    headers = ["method", "recipe", *columns, "seeds", *(f"Δ {name}" for name in columns)]
    return [_grid(headers, _beside(methods, figures, seeds, changes), format)]


def _grid(headers: Sequence[str], lines: Sequence[Sequence[str]], format: str) -> str:
    """A table of lines that are written in the format already: method, recipe, figures."""
    headers = [escape(header, format) for header in headers]
    align = ("left", "left", *["right"] * (len(headers) - 2))
    return tabulate(lines, headers, tablefmt=TABULATE[format], disable_numparse=True, colalign=align)


def _beside(*parts: Sequence[Sequence[str]]) -> list[list[str]]:
    """The lines of several parts, joined."""
    return [[cell for part in line for cell in part] for line in zip(*parts, strict=True)]


def _says(changes: Sequence[str], format: str) -> bool:
    """Whether a line of differences has one."""
    return any(change != escape("–", format) for change in changes)


def _method(row: Row, format: str) -> list[str]:
    """Method and recipe."""
    name = f"{row.method} [{row.source}]" if row.source else row.method
    return [escape(name, format), escape(row.recipe, format)]


def _shots(count: int) -> str:
    return {-1: "all images", 1: "1 shot"}.get(count, f"{count} shots")


def _shown(block: Block, row: Row, index: int, format: str) -> str:
    cell = row.cells[index]
    if cell.mean is None:
        return escape(cell.note, format)
    deviation = "" if cell.std is None else f" ± {cell.std:.2f}"
    figure = escape(f"{cell.mean:.2f}{deviation}" + (f" ({cell.note})" if cell.note else ""), format)
    marks = escape(cell.marks + ("" if row.checked else UNCHECKED), format)
    return (BOLD[format].format(figure) if block.best(row, index) else figure) + marks


def _difference(block: Block, row: Row, index: int, format: str) -> str:
    change = block.difference(row, index)
    return escape("–" if change is None else f"{round(change, 2) + 0.0:+.2f}".replace("-", "−"), format)


def _seeds(row: Row) -> str:
    """The number of seeds that have all figures of the row."""
    if row.source:
        return "–"
    count, expected = min(cell.seeds for cell in row.cells), row.cells[0].expected
    return str(count) if count == expected else f"{count} of {expected}"
