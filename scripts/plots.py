"""Plots of runs, as PNG and PDF: accuracy on two kinds of classes, by target, against shots, by class; differences.

    python scripts/plots.py [OUTPUT …] [options]
    python scripts/plots.py --protocol fewshot --methods coop ship --to plots
    python scripts/plots.py --protocol gzsl --by-class coop ship

base2new  scatter_DATASET_Nshots: base against new accuracy, with curves of equal H, also of the average over
          datasets; difference_METHOD_Nshots, to CoOp, a bar per dataset, or differences_Nshots, a bar per method,
          where there is one dataset
gzsl      the same of seen and unseen classes: gzsl_scatter_…, gzsl_difference_…, gzsl_differences_…
xd, dg    xd_SOURCE_Nshots, dg_SOURCE_Nshots: accuracy by target, the source apart
fewshot   shots: accuracy against shots
longtail  groups_DATASET_Nshots: accuracy by group of classes, alone and with SHIP

--by-class: classes_PROTOCOL_DATASET_METHOD_METHOD_Nshots, a point a class, of base2new and gzsl. Ablations are drawn
by scripts/ablate.py --plot. Reads what tables.py reads. Needs matplotlib. Exit status: 0; 1 where a results.json
cannot be read; 2 where there is nothing.
"""

import argparse
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

from common.arguments import command_parser
from common.command import run_command
from common.errors import fail
from protocols.layout import PROTOCOLS, TARGETS
from protocols.methods import (
    METHODS,
    SHIP,
    MethodError,
    classifier_in,
    expand,
    family_by_trainer,
    find_method,
    title_of,
)
from report.blocks import AVERAGE, Block, NoRuns, Row, build
from report.by_backbone import under
from report.by_class import PARTS, pairs
from report.choice import add_choice, chosen_runs, read_choice
from report.results import RunResult, load, report_unreadable
from report.rows import MethodRuns
from report.saving import save

if TYPE_CHECKING:
    from report.looks import Named

GROUP_TITLES = ("Many images", "Few images", "No images", "All classes")
Change = tuple[float | None, float | None]  # a difference to CoOp in points, and its deviation over seeds


KINDS = {  # of classes, by protocol: axes of the scatter, columns of the bars, beginning of the files' names
    "base2new": (("Base accuracy", "New accuracy"), ("Base", "New", "H"), ""),
    "gzsl": (("Accuracy on seen classes", "Accuracy on unseen classes"), ("Seen", "Unseen", "H"), "gzsl_"),
}


def draw(blocks: Sequence[Block], protocol: str) -> Iterator[tuple[str, object]]:
    """Names and figures (of matplotlib) of a protocol's blocks.

    What needs matplotlib is imported here, since tables and tests go without.
    """
    if protocol in KINDS:
        yield from draw_kinds(blocks, protocol)
    elif protocol in TARGETS:
        from report.target_figure import targets

        for block in blocks:
            yield slug(f"{protocol}_{block.name}_{block.shots}shots"), targets(block, named(block.methods))
    elif protocol == "longtail":
        from report.group_figure import groups_figure

        for block in blocks:
            drawn = groups_figure(block, named(block.methods), GROUP_TITLES)
            yield slug(f"groups_{block.name}_{block.shots}shots"), drawn
    else:
        from report.figures import curves

        ordered = sorted(blocks, key=lambda block: len(block.datasets), reverse=True)  # averages first
        yield "shots", curves(ordered, named(blocks[0].methods), [block.title for block in ordered])


def draw_kinds(blocks: Sequence[Block], protocol: str) -> Iterator[tuple[str, object]]:
    """Of base2new and gzsl: one kind of classes against the other, and differences to CoOp."""
    from report.figures import bars, scatter

    axes, columns, begin = KINDS[protocol]
    for shots in sorted({block.shots for block in blocks}):
        group = [block for block in blocks if block.shots == shots]
        names = labels(group[0].methods)
        for block in group:
            if any(row.cells[2].mean is not None for row in block.rows):
                yield slug(f"{begin}scatter_{block.name}_{shots}shots"), scatter(block, named(block.methods), axes)
        for name, axis, entries in differences(group, names):
            ordered = sorted(entries, key=lambda bar: rank(bar, entries[bar][-1][0]))
            changes = [entries[bar] for bar in ordered]
            yield f"{begin}{name}_{shots}shots", bars(ordered, columns, changes, axis)


def draw_by_class(
    blocks: Sequence[Block], protocol: str, names: Sequence[tuple[str, str]], trained: Sequence[RunResult]
) -> Iterator[tuple[str, object]]:
    """Two methods against each other on each dataset; see report.by_class.pairs."""
    from report.class_figure import versus_figure

    for found in pairs(blocks, names, trained):
        one, other = (full_name(method, found.block.methods) for method in found.methods)
        name = f"classes_{protocol}_{found.block.name}_{one}_{other}_{found.block.shots}shots"
        yield slug(name), versus_figure(found.points, one, other)


def differences(blocks: Sequence[Block], names: Sequence[str]) -> Iterator[tuple[str, str, dict[str, list[Change]]]]:
    """Charts of differences to CoOp: file, axis, changes by bar. A bar per dataset; of a single one, per method."""
    bars = defaultdict(dict)
    for block in blocks:
        for index, method in enumerate(block.methods):
            changes = [change(block, block.rows[index], column) for column in range(3)]
            if any(value is not None for value, _ in changes):
                bars[method.trainer, method.label()][block.name] = changes
    of = {(method.trainer, method.label()): name for method, name in zip(blocks[0].methods, names, strict=True)}
    if len(blocks) == 1:
        values = {of[key]: next(iter(entries.values())) for key, entries in bars.items()}
        if values:
            yield "differences", "Difference to CoOp (points)", values
        return
    for key, entries in bars.items():
        yield slug("_".join(("difference", *key))), f"{of[key]} minus CoOp (points)", entries


def change(block: Block, row: Row, column: int) -> Change:
    value = block.difference(row, column)
    return value, None if value is None else block.spread(row, column)


def rank(bar: str, value: float | None) -> tuple[bool, float]:
    """The highest first, missing ones last, and the average below all."""
    return bar.startswith(AVERAGE), math.inf if value is None else -value


def slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def labels(methods: Sequence[MethodRuns]) -> list[str]:
    """Methods as papers name them; recipes tell apart the rows of one trainer, by what differs in them."""
    recipes = defaultdict(list)
    for method in methods:
        recipes[method.trainer].append(method.label())
    return [label(method.trainer, method.label(), recipes[method.trainer]) for method in methods]


def named(methods: Sequence[MethodRuns]) -> list["Named"]:
    """The rows' methods with what decides how they look; one with SHIP is paired with the one without."""
    from report.looks import Named

    found = []
    for method, name in zip(methods, labels(methods), strict=True):
        family, alone = family_by_trainer(method.trainer), name
        carried = method.trainer == METHODS[SHIP].trainer
        if carried:
            on = METHODS[classifier_in(method.label())]
            family = on.family
            alone = on.title if name in (METHODS[SHIP].title, f"{on.title} + SHIP") else name
        found.append(Named(name, family, alone, carried))
    return found


def label(trainer: str, recipe: str, recipes: Sequence[str]) -> str:
    """One row's label; `recipes`: those of all rows of the trainer."""
    name = title_of(trainer)
    if len(recipes) == 1:
        return name
    shared = len(commonprefix([other.split("_") for other in recipes]))
    ends = {other: "_".join(other.split("_")[shared:]) for other in recipes}
    if trainer == METHODS[SHIP].trainer and all(map(names_classifier, ends, ends.values())):
        return f"{METHODS[classifier_in(recipe)].title} + SHIP"
    return f"{name} ({ends[recipe]})" if ends[recipe] else name


def full_name(method: MethodRuns, among: Sequence[MethodRuns]) -> str:
    """A row's label, which says what SHIP is on also where no other row is of SHIP, unless it is SHIP's own."""
    name, on = labels(among)[among.index(method)], classifier_in(method.recipe)
    alone = name == METHODS[SHIP].title and on != METHODS[SHIP].classifier
    return f"{METHODS[on].title} + SHIP" if alone else name


def names_classifier(recipe: str, end: str) -> bool:
    """Whether the end of a recipe of SHIP says what SHIP is on, and nothing else."""
    return end in ("", *METHODS) or find_method(f"{SHIP}_{classifier_in(recipe)}").takes_two_recipes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("plots.py", __doc__)
    add_choice(parser)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="base2new")
    by_class = "of base2new and gzsl: accuracy by class of two methods, the second against the first"
    parser.add_argument("--by-class", metavar="METHOD", nargs=2, help=by_class)
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=Path("plots"), help="of the files (plots/)")
    args = read_choice(parser, argv)
    if args.by_class:
        choose_two(parser, args)
    return args


def choose_two(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Takes the methods of --by-class as those to read; ends the program with status 2 where that cannot be."""
    if args.protocol not in PARTS:
        parser.error(f"--by-class is of the protocols {' and '.join(PARTS)}")
    try:
        args.methods = expand(args.by_class)
    except MethodError as error:
        parser.error(str(error))
    if len(args.methods) != 2:
        parser.error("--by-class takes two methods, such as coop ship")


def figures(args: argparse.Namespace, runs: Sequence[RunResult]) -> Iterator[tuple[str, object]]:
    """What is asked for. Raises NoRuns."""
    blocks = build(runs, args.protocol, args.datasets, seeds=args.seeds)
    if not args.by_class:
        return draw(blocks, args.protocol)
    names = [(method.trainer, method.classifier) for method in args.methods]
    return draw_by_class(blocks, args.protocol, names, load(args.outputs, "base2new"))


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    runs = under(chosen_runs(args), args.backbones)
    unreadable = report_unreadable(runs)
    where = ", ".join(map(str, args.outputs))
    try:
        files = save(figures(args, runs), args.to)
    except NoRuns as missing:
        fail(f"no {missing} under {where}; `python scripts/tables.py` says how to make them.")
    if not files:
        fail(f"no {args.protocol} runs under {where} have what there is to draw: {wanted(args)}.")
    print("\n".join(map(str, files)))
    sys.exit(1 if unreadable else 0)


def wanted(args: argparse.Namespace) -> str:
    return f"both methods with accuracies by class, {' and '.join(args.by_class)}" if args.by_class else "figures"


if __name__ == "__main__":
    run_command(main)
