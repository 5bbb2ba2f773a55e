"""A protocol's table, from the folders of runs to text."""

from collections.abc import Sequence
from pathlib import Path

from protocols.backbones import Backbone
from protocols.layout import TARGETS
from protocols.request import Request

from .blocks import NoRuns
from .by_backbone import build_under
from .published import PUBLISHED
from .render import render
from .results import load, report_unreadable


def table(
    outputs: Sequence[Path],
    protocol: str,
    datasets: Sequence[str] | None = None,
    format: str = "text",
    published: Sequence[Path] = (),
    seeds: Sequence[int] | None = None,
    backbones: Sequence[Backbone] = (),
) -> str:
    """A protocol's table of the runs under `outputs`, for all datasets that have runs unless some are named.

    `seeds`: those to take and to expect; by default all that a run was found for. With `backbones`, only runs under
    these. Raises NoRuns, PublishedError.
    """
    runs = load(outputs, protocol, seeds)
    report_unreadable(runs)
    return render(build_under(backbones, runs, protocol, datasets, published, seeds), format)


def print_table(request: Request, seeds: Sequence[int] | None = None) -> None:
    """The table of what was asked for, beside published figures; of xd and dg with all runs that are there."""
    names = None if request.protocol in TARGETS else request.labels
    chosen = {"published": [PUBLISHED], "seeds": seeds, "backbones": request.backbones}
    try:
        print(f"\n{table([request.output], request.protocol, names, **chosen)}")
    except NoRuns as error:
        print(f"\nNo table: there are no {error}.")
