"""Which runs tables and plots are made of: the arguments that say so, and the runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.arguments import OUTPUT, Several, add_backbones, shots
from protocols.backbones import backbone_of
from protocols.methods import classifier_in, expand

from .results import RunResult, load


def add_choice(parser: argparse.ArgumentParser) -> None:
    """OUTPUT …, and the options that choose among the runs there."""
    add = parser.add_argument
    add("outputs", metavar="OUTPUT", type=Path, nargs="*", help="folders of runs (default: output/ in the checkout)")
    add("--output", metavar="OUTPUT", type=Path, nargs="+", action="extend", default=[], help="the same as OUTPUT …")
    names = "datasets, or targets (default: all with runs)"
    add("--datasets", "--dataset", metavar="DATASET", action=Several, help=names)
    add(
        "--methods",
        metavar="METHOD",
        action=Several,
        help="names or families of configs/methods.yaml (default: all with runs)",
    )
    add_backbones(parser, "backbones that the runs are under (default: all with runs)")
    seeds = "those to take and to expect (default: all found)"
    add("--seeds", metavar="SEED", action=Several, numbers=True, help=seeds)
    add("--shots", metavar="N", type=shots, help="numbers of training images a class (default: all found)")


def read_choice(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, with all folders in `outputs`; ends the program with status 2 for methods that do not exist.

    A backbone may be known by the runs' folders alone.
    """
    args = parser.parse_intermixed_args(argv)
    args.outputs = [*args.outputs, *args.output, *map(Path, args.rest)] or [OUTPUT]
    try:
        args.methods = expand(args.methods or ())
        args.backbones = list(map(backbone_of, args.backbones or ()))
    except ValueError as error:
        parser.error(str(error))
    return args


def chosen_runs(args: argparse.Namespace) -> list[RunResult]:
    """The protocol's runs in the folders, under any backbone; those without training for all numbers of shots."""
    runs = load(args.outputs, args.protocol, args.seeds)
    if args.shots:
        runs = [run for run in runs if run.id.shots in (0, *args.shots)]
    if args.methods:
        wanted = {(method.trainer, method.classifier) for method in args.methods}
        runs = [run for run in runs if method_of(run) in wanted]
    return runs


def method_of(run: RunResult) -> tuple[str, str]:
    """A run's trainer, and what SHIP is on."""
    trainer = run.id.trainer
    return trainer, classifier_in(run.id.recipe) if trainer == "SHIP" else ""
