"""The three kinds of page: of one run, of several compared, and an index of all runs in a folder."""

import argparse
from pathlib import Path

from own.saved_run import SavedRun

from . import drawing
from .numbers import numbers_of
from .opened import open_run
from .page import Page, write_page


def report_run(args: argparse.Namespace, to: Path) -> dict:
    """Writes the page of args.run; gives its numbers. Raises InputError."""
    numbers = numbers_of(open_run(SavedRun(args.run), args), args.map)
    write_page(Page("run.html", numbers, drawing.draw_all(numbers)), to)
    return numbers


def compare_runs(args: argparse.Namespace, to: Path) -> None:
    raise NotImplementedError


def report_output(args: argparse.Namespace, to: Path) -> bool:
    raise NotImplementedError
