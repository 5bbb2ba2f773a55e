"""The three kinds of page: of one run, of several compared, and an index of all runs in a folder."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from own.saved_run import SavedRun
from protocols.layout import PROTOCOLS
from report.blocks import NoRuns, build
from report.render import NAMES, render
from report.results import load

from datasets import DatasetError
from trainers.blocks.errors import InputError
from trainers.blocks.run.results import FILE_NAME

from . import comparing, drawing
from .numbers import FORMAT, numbers_of
from .opened import open_run
from .page import Page, figure_folder, write_page


def report_run(args: argparse.Namespace, folder: Path, to: Path) -> dict[str, Any]:
    """Writes the page of a run; gives its numbers. Raises InputError."""
    numbers = numbers_of(open_run(SavedRun(folder), args), args.map)
    write_page(Page("run.html", numbers, drawing.draw_all(numbers)), to)
    return numbers


def compare_runs(args: argparse.Namespace, to: Path) -> None:
    """Writes the page of args.run beside those of args.compare. Raises InputError."""
    runs = [SavedRun(folder) for folder in (args.run, *args.compare)]
    comparing.check_different(runs)
    numbers = comparing.compared([comparing.summary(open_run(run, args)) for run in runs])
    write_page(Page("comparison.html", numbers, drawing.draw_differences(numbers["differences"])), to)


def report_output(args: argparse.Namespace, to: Path) -> bool:
    """Writes a page of each complete run under args.output, and the index; whether runs had to be left out.

    Raises InputError where there is none.
    """
    folders = sorted(path.parent for path in args.output.rglob(FILE_NAME))
    if not folders:
        raise InputError(f"{args.output} holds no complete run: there is no {FILE_NAME} in it or below it.")
    pages, left_out = [], []
    for folder in folders:
        name = re.sub(r"[^\w.-]+", "_", str(folder.relative_to(args.output))).strip("_.") or "run"
        page = figure_folder(to) / f"{name}.html"
        try:
            numbers = report_run(args, folder, page)
        except (InputError, DatasetError) as error:
            left_out.append({"folder": str(folder), "reason": str(error)})
            print(f"left out: {error}", file=sys.stderr)
            continue
        pages.append({"page": os.path.relpath(page, to.parent), "folder": str(folder), **in_index(numbers)})
        print(f"Written: {page}")
    numbers = {
        "format": FORMAT,
        "title": f"Runs in {args.output.absolute().name}",
        "tables": tables_of(args.output),
        "runs": pages,
        "left_out": left_out,
    }
    write_page(Page("index.html", numbers), to)
    return bool(left_out)


def in_index(numbers: dict[str, Any]) -> dict[str, Any]:
    """What the index says of a run."""
    predictions = numbers["predictions"] or {}
    return {
        "title": numbers["title"],
        "mode": numbers["facts"]["mode"],
        "accuracy": numbers["facts"]["metrics"].get("accuracy"),
        "mean_f1": predictions.get("mean_f1"),
        "ece": predictions.get("calibration", {}).get("ece"),
    }


def tables_of(output: Path) -> list[dict[str, str]]:
    """The table of each protocol that has runs there, as tables.py prints it."""
    found = []
    for protocol in PROTOCOLS:
        try:
            text = render(build(load([output], protocol), protocol), "text")
        except NoRuns:
            continue
        table, _, notes = text.rpartition("\n\n")  # which come last
        found.append({"protocol": NAMES[protocol], "table": table, "notes": " ".join(notes.split())})
    return found
