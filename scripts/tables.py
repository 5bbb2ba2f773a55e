"""Tables from the results.json files of runs.

python scripts/tables.py [OUTPUT] [--protocol base2new] [--dataset NAME]
"""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import yaml
from tabulate import tabulate

CHECKOUT = Path(__file__).resolve().parents[1]
PUBLISHED = CHECKOUT / "configs" / "published.yaml"
ORDER = (
    "ZeroshotCLIP",
    "ZeroshotCLIP2",
    "CoOp",
    "CoCoOp",
    "CLIPAdapter",
    "TipAdapter",
    "TipAdapterF",
    "SHIP",
)  # other methods follow by name
NOTE = (
    "Accuracy in %, mean ± standard deviation over seeds (of the population, as CoOp's scripts have it).\n"
    "H is the harmonic mean of the two mean accuracies, as in the papers; its deviation is that of the seeds' own H."
)
UNCHECKED = "* not re-checked against the paper"

Accuracies = dict[int, dict[str, float]]  # by seed, then "base" and "new"


def harmonic(base: float, new: float) -> float:
    return 2 * base * new / (base + new) if base + new else 0.0


def collect(output: Path, dataset: str) -> dict[tuple[str, str, str], Accuracies]:
    """Accuracies of complete base2new runs, by shots folder, trainer and recipe."""
    found: dict[tuple[str, str, str], Accuracies] = defaultdict(lambda: defaultdict(dict))
    for classes, folder in (("base", "train_base"), ("new", "test_new")):
        for path in sorted((output / "base2new" / folder / dataset).glob("shots_*/*/*/seed*/results.json")):
            shots, trainer, recipe, seed = path.parts[-5:-1]
            try:
                accuracy = json.loads(path.read_text(encoding="utf-8"))["metrics"]["accuracy"]
            except (OSError, ValueError, KeyError) as error:
                print(f"left out: {path} cannot be read ({type(error).__name__}: {error})", file=sys.stderr)
                continue
            found[shots, trainer, recipe][int(seed.removeprefix("seed"))][classes] = accuracy
    return found


def summarize(values: Sequence[float], centre: float | None = None) -> str:
    if not values:
        return "–"
    return f"{statistics.fmean(values) if centre is None else centre:.2f} ± {statistics.pstdev(values):.2f}"


def row(accuracies: Accuracies) -> list[str]:
    """Base, new, H and the number of seeds that have both."""
    base, new = ([by[part] for by in accuracies.values() if part in by] for part in ("base", "new"))
    pairs = [(by["base"], by["new"]) for by in accuracies.values() if len(by) == 2]
    mean = harmonic(*(statistics.fmean(column) for column in zip(*pairs, strict=True))) if pairs else None
    count = str(len(pairs)) if len(pairs) == len(accuracies) else f"{len(pairs)} of {len(accuracies)}"
    return [summarize(base), summarize(new), summarize([harmonic(*pair) for pair in pairs], mean), count]


def published_rows(dataset: str) -> tuple[list[list[str]], bool]:
    """Rows from papers for this dataset, and whether one of them is unchecked."""
    rows, unchecked = [], False
    for method, entry in yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))["base2new"].items():
        if dataset in entry:
            base, new = entry[dataset]
            mark = "" if entry["checked"] else "*"
            unchecked = unchecked or not entry["checked"]
            figures = [f"{value:.2f}{mark}" for value in (base, new, harmonic(base, new))]
            rows.append([f"{method} [{entry['source']}]", "published", *figures, "–"])
    return rows, unchecked


def rank(key: tuple[str, str, str]) -> tuple:
    shots, trainer, recipe = key
    return shots, ORDER.index(trainer) if trainer in ORDER else len(ORDER), trainer, recipe


def base2new_table(output: Path, dataset: str) -> str:
    """The base-to-new table of a dataset as text; empty cells where runs are missing."""
    found = collect(output, dataset)
    parts = []
    for shots in sorted({key[0] for key in found}):
        rows = [[key[1], key[2], *row(found[key])] for key in sorted(found, key=rank) if key[0] == shots]
        published, unchecked = published_rows(dataset) if shots == "shots_16" else ([], False)
        table = tabulate(
            rows + published,
            headers=["method", "recipe", "base", "new", "H", "seeds"],
            disable_numparse=True,
            colalign=("left", "left", "right", "right", "right", "right"),
        )
        title = f"{dataset}, {shots.removeprefix('shots_')} shots, base-to-new"
        parts.append("\n".join([title, table, *([UNCHECKED] if unchecked else [])]))
    if not parts:
        return f"No complete base2new runs of {dataset} under {output}."
    return "\n\n".join([*parts, NOTE])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="tables.py"
    )
    parser.add_argument("output", type=Path, nargs="?", default=CHECKOUT / "output", help="folder of the runs")
    parser.add_argument("--protocol", choices=["base2new"], default="base2new")
    parser.add_argument("--dataset", help="one dataset (default: all that have runs)")
    args = parser.parse_args(argv)
    folders = sorted({path.name for path in (args.output / args.protocol).glob("*/*") if path.is_dir()})
    datasets = [args.dataset] if args.dataset else folders
    if not datasets:
        print(f"error: no {args.protocol} runs under {args.output}", file=sys.stderr)
        sys.exit(2)
    print("\n\n".join(base2new_table(args.output, dataset) for dataset in datasets))


if __name__ == "__main__":
    main()
