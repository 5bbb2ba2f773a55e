"""Plots of runs, as PNG and PDF: base against new accuracy, accuracy against shots, difference to CoOp.

python scripts/plots.py [OUTPUT …] [--protocol base2new|fewshot] [--to FOLDER]

base2new: scatter_DATASET_Nshots, with curves of equal H, also of the average over datasets; difference_METHOD_Nshots,
a bar per dataset, or differences_Nshots, a bar per method, where there is one dataset. fewshot: shots. Reads what
tables.py reads. Needs matplotlib. Exit status: 0; 1 where a results.json cannot be read; 2 where there is nothing.
"""

import argparse
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from os.path import commonprefix
from pathlib import Path

from report.blocks import AVERAGE, Block, NoRuns, build
from report.results import load, report_unreadable
from report.rows import Method
from tables import fail

OUTPUT = Path(__file__).resolve().parents[1] / "output"
NAMES = {
    "ZeroshotCLIP": "CLIP",
    "CLIPAdapter": "CLIP-Adapter",
    "TipAdapter": "Tip-Adapter",
    "TipAdapterF": "Tip-Adapter-F",
}
CARRIED = {"": "CoOp", "clip_adapter": "CLIP-Adapter", "cocoop": "CoCoOp", "tip_adapter_f": "Tip-Adapter-F"}


def draw(blocks: Sequence[Block], protocol: str) -> Iterator[tuple[str, object]]:
    """Names and figures (of matplotlib) of a protocol's blocks."""
    from report.figures import bars, curves, scatter  # here, since tables and tests go without matplotlib

    if protocol == "fewshot":
        ordered = sorted(blocks, key=lambda block: len(block.datasets), reverse=True)  # averages first
        yield "shots", curves(ordered, labels(blocks[0].methods), [block.title for block in ordered])
        return
    for shots in sorted({block.shots for block in blocks}):
        group = [block for block in blocks if block.shots == shots]
        names = labels(group[0].methods)
        for block in group:
            if any(row.cells[2].mean is not None for row in block.rows):
                yield slug(f"scatter_{block.name}_{shots}shots"), scatter(block, names)
        for name, axis, entries in differences(group, names):
            ordered = sorted(entries, key=lambda bar: rank(bar, entries[bar][-1]))
            changes = [entries[bar] for bar in ordered]
            yield f"{name}_{shots}shots", bars(ordered, ("Base", "New", "H"), changes, axis)


def differences(
    blocks: Sequence[Block], names: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, list[float | None]]]]:
    """Charts of differences to CoOp: file, axis, values by bar. A bar per dataset; of a single one, per method."""
    bars = defaultdict(dict)
    for block in blocks:
        for index, method in enumerate(block.methods):
            values = [block.difference(block.rows[index], column) for column in range(len(block.columns))]
            if any(value is not None for value in values):
                bars[method.trainer, method.label()][block.name] = values
    of = {(method.trainer, method.label()): name for method, name in zip(blocks[0].methods, names, strict=True)}
    if len(blocks) == 1:
        values = {of[key]: next(iter(entries.values())) for key, entries in bars.items()}
        if values:
            yield "differences", "Difference to CoOp (points)", values
        return
    for key, entries in bars.items():
        yield slug("_".join(("difference", *key))), f"{of[key]} minus CoOp (points)", entries


def rank(bar: str, value: float | None) -> tuple[bool, float]:
    """The highest first, missing ones last, and the average below all."""
    return bar.startswith(AVERAGE), math.inf if value is None else -value


def slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def labels(methods: Sequence[Method]) -> list[str]:
    """Methods as papers name them; recipes tell apart the rows of one trainer, by what differs in them."""
    counts = Counter(method.trainer for method in methods)
    return [
        label(method, [other.label() for other in methods if other.trainer == method.trainer])
        if counts[method.trainer] > 1
        else NAMES.get(method.trainer, method.trainer)
        for method in methods
    ]


def label(method: Method, recipes: Sequence[str]) -> str:
    shared = len(commonprefix([recipe.split("_") for recipe in recipes]))
    ends = {recipe: "_".join(recipe.split("_")[shared:]) for recipe in recipes}
    end, name = ends[method.label()], NAMES.get(method.trainer, method.trainer)
    if name == "SHIP" and set(ends.values()) <= set(CARRIED):
        return f"{CARRIED[end]} + SHIP"
    return f"{name} ({end})" if end else name


def save(drawn: Iterator[tuple[str, object]], folder: Path) -> list[Path]:
    """Writes each figure twice; the folder is made with the first."""
    written = []
    for name, figure in drawn:
        folder.mkdir(parents=True, exist_ok=True)
        for ending in ("png", "pdf"):
            written.append(folder / f"{name}.{ending}")
            figure.savefig(written[-1], dpi=300)
    return written


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="plots.py"
    )
    add = parser.add_argument
    add("outputs", metavar="OUTPUT", type=Path, nargs="*", help="folders of runs (default: output/ in the checkout)")
    add("--protocol", choices=("base2new", "fewshot"), default="base2new")
    add("--dataset", metavar="NAME", nargs="+", action="extend", help="datasets (default: all with runs)")
    add("--seeds", metavar="SEED", type=int, nargs="+", help="those to take and to expect (default: all found)")
    add("--to", metavar="FOLDER", type=Path, default=Path("plots"), help="where the files go (plots/)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    outputs = args.outputs or [OUTPUT]
    runs = load(outputs, args.protocol, args.seeds)
    unreadable = report_unreadable(runs)
    try:
        files = save(draw(build(runs, args.protocol, args.dataset, seeds=args.seeds), args.protocol), args.to)
    except NoRuns as missing:
        fail(f"no {missing} under {', '.join(map(str, outputs))}; `python scripts/tables.py` says how to make them.")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("matplotlib"):
            raise
        fail("plots need matplotlib: pip install matplotlib")
    except OSError as error:
        fail(f"cannot write to {args.to}: {error}")
    print("\n".join(map(str, files)))
    sys.exit(1 if unreadable else 0)


if __name__ == "__main__":
    main()
