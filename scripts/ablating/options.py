"""What commands are asked for of ablations: which class splits, on which methods, and differences to which row."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from common.arguments import Several, comma_separated
from protocols.methods import SHIP
from protocols.request import Request
from protocols.runs import Run

from .kinds import PAIRED
from .tables import table_of
from .variants import Variant, reference_of, runs_of, variants_of

SEEDS, CLASS_SPLITS = (1, 2, 3, 4, 5), (0, 1, 2)


@dataclass(frozen=True)
class Ablation:
    """One table: an ablation on one dataset and on one method; differences are to the reference, one of the rows."""

    kind: str
    variants: Sequence[Variant]
    reference: Variant

    def table(self) -> str:
        return table_of(self.kind, self.variants, self.reference)


def with_ship(names: str) -> list[str]:
    """The names of SHIP on methods, whose own names are separated by commas."""
    return [f"{SHIP}_{name}" for name in comma_separated(names)]


def add_ablation_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    splits = "of ablations: choices of the base classes (0 1 2)"
    add("--class-splits", "--draws", action=Several, numbers=True, metavar="N", help=splits)
    on = "of ablations: the methods that SHIP is on (coop), a table for each"
    add("--on", dest="methods", metavar="METHOD,…", type=with_ship, help=on)
    reference = f"of {', '.join(PAIRED)}: the row that differences are to, by its label, such as CoOp"
    add("--reference", metavar="ROW", default="", help=reference)


def ablations_of(
    parser: argparse.ArgumentParser, args: argparse.Namespace, request: Request, kinds: Sequence[str]
) -> list[Ablation]:
    """The tables that are asked for; ends the program with status 2 where something does not fit."""
    splits = args.class_splits or CLASS_SPLITS
    if args.reference and not set(kinds) <= set(PAIRED):
        parser.error(f"--reference is of the ablations {', '.join(PAIRED)}")
    if kinds and len(request.backbones) > 1:
        parser.error("--backbone: an ablation is under one")
    ships = [method for method in request.methods if method.synthesizes]
    found = []
    for kind in kinds:
        for ship in ships:
            for dataset in request.datasets:
                variants = variants_of(request, kind, splits, dataset, ship)
                try:
                    found.append(Ablation(kind, variants, reference_of(kind, variants, args.reference)))
                except ValueError as error:
                    parser.error(str(error))
    return found


def all_runs(ablations: Sequence[Ablation]) -> list[Run]:
    """The runs of all tables, each once: ablations share some."""
    return runs_of([variant for ablation in ablations for variant in ablation.variants])
