"""Plots of runs, as PNG and PDF: base against new accuracy, accuracy against shots, difference to CoOp.

    python scripts/plots.py [OUTPUT …] [options]
    python scripts/plots.py --protocol fewshot --methods coop ship --to plots

base2new: scatter_DATASET_Nshots, with curves of equal H, also of the average over datasets; difference_METHOD_Nshots,
a bar per dataset, or differences_Nshots, a bar per method, where there is one dataset. fewshot: shots. longtail:
groups_DATASET_Nshots, accuracy by group of classes, alone and with SHIP. Reads what tables.py reads. Needs
matplotlib. Exit status: 0; 1 where a results.json cannot be read; 2 where there is nothing.
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
from protocols.methods import METHODS, SHIP, classifier_in, family_by_trainer, find_method, title_of
from report.blocks import AVERAGE, Block, NoRuns, Row, build
from report.by_backbone import under
from report.choice import add_choice, chosen_runs, read_choice
from report.results import report_unreadable
from report.rows import MethodRuns
from report.saving import save

if TYPE_CHECKING:
    from report.looks import Named

GROUP_TITLES = ("Many images", "Few images", "No images", "All classes")
Change = tuple[float | None, float | None]  # a difference to CoOp in points, and its deviation over seeds


def draw(blocks: Sequence[Block], protocol: str) -> Iterator[tuple[str, object]]:
    """Names and figures (of matplotlib) of a protocol's blocks."""
    from report.figures import bars, curves, pairs, scatter  # here, since tables and tests go without matplotlib

    if protocol == "fewshot":
        ordered = sorted(blocks, key=lambda block: len(block.datasets), reverse=True)  # averages first
        yield "shots", curves(ordered, named(blocks[0].methods), [block.title for block in ordered])
        return
    if protocol == "longtail":
        for block in blocks:
            yield (
                slug(f"groups_{block.name}_{block.shots}shots"),
                pairs(block, named(block.methods), GROUP_TITLES),
            )
        return
    for shots in sorted({block.shots for block in blocks}):
        group = [block for block in blocks if block.shots == shots]
        names = labels(group[0].methods)
        for block in group:
            if any(row.cells[2].mean is not None for row in block.rows):
                yield slug(f"scatter_{block.name}_{shots}shots"), scatter(block, named(block.methods))
        for name, axis, entries in differences(group, names):
            ordered = sorted(entries, key=lambda bar: rank(bar, entries[bar][-1][0]))
            changes = [entries[bar] for bar in ordered]
            yield f"{name}_{shots}shots", bars(ordered, ("Base", "New", "H"), changes, axis)


def differences(blocks: Sequence[Block], names: Sequence[str]) -> Iterator[tuple[str, str, dict[str, list[Change]]]]:
    """Charts of differences to CoOp: file, axis, changes by bar. A bar per dataset; of a single one, per method."""
    bars = defaultdict(dict)
    for block in blocks:
        for index, method in enumerate(block.methods):
            changes = [change(block, block.rows[index], column) for column in range(len(block.columns))]
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


def names_classifier(recipe: str, end: str) -> bool:
    """Whether the end of a recipe of SHIP says what SHIP is on, and nothing else."""
    return end in ("", *METHODS) or find_method(f"{SHIP}_{classifier_in(recipe)}").takes_two_recipes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("plots.py", __doc__)
    add_choice(parser)
    parser.add_argument("--protocol", choices=("base2new", "fewshot", "longtail"), default="base2new")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=Path("plots"), help="of the files (plots/)")
    return read_choice(parser, argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    runs = under(chosen_runs(args), args.backbones)
    unreadable = report_unreadable(runs)
    try:
        files = save(draw(build(runs, args.protocol, args.datasets, seeds=args.seeds), args.protocol), args.to)
    except NoRuns as missing:
        where = ", ".join(map(str, args.outputs))
        fail(f"no {missing} under {where}; `python scripts/tables.py` says how to make them.")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("matplotlib"):
            raise
        fail("plots need matplotlib: pip install matplotlib")
    except OSError as error:
        fail(f"cannot write to {args.to}: {error}")
    print("\n".join(map(str, files)))
    sys.exit(1 if unreadable else 0)


if __name__ == "__main__":
    run_command(main)
