"""Blocks as CSV: plain numbers, a row for each method and dataset (and shots, where these are the columns)."""

import csv
import io
from collections.abc import Iterator, Sequence

from .blocks import PAIRS, Block, Row
from .results import EXACT_LOG, ROUNDED_LOG, VALIDATION

KEYS = ("protocol", "dataset", "shots", "method", "recipe", "source", "checked", "seeds_expected")
SOURCES = {EXACT_LOG: "log.txt (counts)", ROUNDED_LOG: "log.txt (one decimal)", VALIDATION: "validation split"}


def as_csv(blocks: Sequence[Block]) -> str:
    """An empty field is a figure that is missing; `…_note` says why, or on how many seeds a figure rests."""
    measured = blocks[0].protocol in (*PAIRS, "longtail")  # else columns are datasets or shots
    measures = blocks[0].columns if measured else ["accuracy"]
    fields = [f"{name}{end}" for name in measures for end in ("", "_std", "_seeds", "_difference", "_note")]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*KEYS, *fields], lineterminator="\n")
    writer.writeheader()
    for block in blocks:
        for row in block.rows:
            writer.writerows([_measured(block, row)] if measured else _by_column(block, row))
    return text.getvalue().rstrip("\n")


def _measured(block: Block, row: Row) -> dict[str, object]:
    columns = range(len(block.columns))
    found = _keys(block, row, columns, dataset=block.name, shots=block.shots)
    for index in columns:
        found |= _figures(block, row, index, block.columns[index])
    return found


def _by_column(block: Block, row: Row) -> Iterator[dict[str, object]]:
    for index, name in enumerate(block.columns):
        dataset, shots = (block.name, name) if block.shots is None else (name, block.shots)
        yield _keys(block, row, [index], dataset=dataset, shots=shots) | _figures(block, row, index, "accuracy")


def _keys(block: Block, row: Row, columns: Sequence[int], **place: object) -> dict[str, object]:
    marks = {mark for index in columns for mark in row.cells[index].marks}
    present = any(row.cells[index].mean is not None for index in columns)
    read = ", ".join(what for mark, what in SOURCES.items() if mark in marks)
    return {
        "protocol": block.protocol,
        **place,
        "method": row.method,
        "recipe": row.recipe,
        "source": row.source or read or ("results.json" if present else ""),
        "checked": ("yes" if row.checked else "no") if row.source else "",
        "seeds_expected": max(row.cells[index].expected for index in columns) or "",
    }


def _figures(block: Block, row: Row, index: int, name: str) -> dict[str, object]:
    cell, change = row.cells[index], block.difference(row, index)
    figures = {"": cell.mean, "_std": cell.std, "_difference": change}
    numbers = {f"{name}{end}": "" if value is None else f"{value:.4f}" for end, value in figures.items()}
    return numbers | {f"{name}_seeds": cell.seeds or "", f"{name}_note": cell.note.replace("–", "missing")}
