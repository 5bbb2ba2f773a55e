"""Runs SHIP end to end among thousands of class names, and says what each step takes.

    python scripts/benchmark.py classes --count 10000

Makes class folders of small pictures in a temporary folder, named by an adjective and a noun each ("wooden lantern").
Half of the classes have training pictures, and half only their names. Both stages are trained with the CLIP of
`shapes`, then tested on the base classes, on the new ones, and on all of them; a picture is classified among all
names, and tables, plots and the page of the trained run are made. Each step is a process of its own, by the command
that a user would type: wall time and the processor's, the peak of its resident memory, and what it left on disk. The
pictures are noise, so the accuracies say nothing. Prints a table, or JSON with --json.

Exit status: 0; 1 where a step failed; 2 for bad input.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.arguments import CHECKOUT, command_parser, positive
from protocols.planner import plan
from protocols.runs import Run
from run import parse_args as asked_for

from bench import machine
from bench.made_up import MOST_THINGS, things, write_pictures
from bench.measure import show
from bench.memory import usage_of
from bench.tables import seconds, text

FOLDER, SIZE, NAMES = "things", (64, 64), "names.txt"  # of the pictures, and a file of all names
TEST = 1  # pictures of a class to test on
PROTOCOLS = ("base2new", "gzsl")
COLUMNS = ("", "wall\ns", "processor\ns", "GB", "MB on\ndisk", "lines\nlogged")
TITLES = {"base": "both stages, test on base classes", "new": "test on new classes", "all": "test on all classes"}


@dataclass(frozen=True)
class Step:
    """A command, and the folder that it writes to."""

    title: str
    command: Sequence[str]
    folder: Path


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="classes-") as root:
        show(f"pictures of {args.count:,} classes")
        write_pictures(Path(root, "data", FOLDER), things(args.count), args.shots, TEST, SIZE)
        Path(root, NAMES).write_text("\n".join(things(args.count)), encoding="utf-8")
        environment = {**os.environ, "SHIP_CACHE": str(Path(root, "cache")), "TQDM_DISABLE": "1"}
        rows = [measured(step, environment) for step in steps(Path(root), args)]
    about = {"classes": args.count, "shots": args.shots, "epochs": args.epochs, "machine": machine.described()}
    print(json.dumps({**about, "steps": rows}, indent=4) if args.json else report(about, rows))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py classes", __doc__)
    add = parser.add_argument
    add("--count", metavar="N", type=positive, default=10_000, help=f"classes, at most {MOST_THINGS} (10000)")
    add("--shots", metavar="N", type=positive, default=2, help="training pictures of a class (2)")
    add("--epochs", metavar="N", type=positive, default=1, help="of each stage (1)")
    add("--batch", metavar="N", type=positive, default=1024, help="features of a step of either stage (1024)")
    add("--folder", help="where all is made for a while (default: the temporary folder)")
    add("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    if not 4 <= args.count <= MOST_THINGS:
        parser.error(f"--count is from 4 to {MOST_THINGS:,}")
    return args


def steps(root: Path, args: argparse.Namespace) -> Iterator[Step]:
    """In their order: what comes later reads what was left by what is before it."""
    planned = runs(root, args)
    for run in planned:
        yield Step(TITLES[run.classes], run.command(), run.folder)
    picture = next(Path(root, "data", FOLDER, "test").glob("*/*"))
    words = (planned[0].folder, picture, "--classes", root / NAMES, "--json", root / "predicted" / "picture.json")
    yield Step("predict.py among all names", script("predict", *words), root / "predicted")
    for protocol in PROTOCOLS:
        tables = script("tables", root / "output", "--protocol", protocol)
        yield Step(f"tables.py --protocol {protocol}", tables, root / "tables")
    to = root / "plots"
    yield Step("plots.py", script("plots", root / "output", "--to", to), to)
    page = root / "page"
    yield Step("inspect_run.py", script("inspect_run", planned[0].folder, "--to", page / "report.html"), page)


def script(name: str, *words: object) -> list[str]:
    return [sys.executable, *map(str, (CHECKOUT / f"scripts/{name}.py", *words))]


def runs(root: Path, args: argparse.Namespace) -> list[Run]:
    """Both stages on the base classes, and the tests of both protocols, each once."""
    found: dict[Path, Run] = {}
    for protocol in PROTOCOLS:
        words = [
            *("ship", protocol, "imagefolder", "1", "--name", FOLDER, "--recipe", "shapes", "--shots", args.shots),
            *("--data", root / "data", "--output", root / "output"),
            *("TRAINER.SHIP.OPTIM.MAX_EPOCH", args.epochs, "OPTIM.MAX_EPOCH", args.epochs),
            *("TRAINER.SHIP.BATCH_SIZE", args.batch, "DATALOADER.TRAIN_X.BATCH_SIZE", args.batch),
            *("TRAINER.FEATURES.VIEWS", 1),
        ]
        found |= {run.folder: run for run in plan(asked_for([str(word) for word in words])[1])}
    return list(found.values())


def measured(step: Step, environment: dict[str, str]) -> dict[str, object]:
    """Runs it; ends the program with status 1 where it fails."""
    show(step.title)
    step.folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    status, output, usage = usage_of(step.command, environment)
    took = time.perf_counter() - begun
    if status:
        sys.exit(f"error: {step.title} failed with status {status}:\n" + "\n".join(output.splitlines()[-20:]))
    files = [path for path in step.folder.rglob("*") if path.is_file()]
    return {
        "step": step.title,
        "wall seconds": took,
        "processor seconds": usage.seconds,
        "gigabytes": usage.gigabytes,
        "megabytes on disk": sum(path.stat().st_size for path in files) / 1e6,
        "lines logged": len(output.splitlines()),
    }


def report(about: dict, rows: Sequence[dict]) -> str:
    title = (
        f"{about['classes']:,} classes, half of them new, {about['shots']} shots, {about['epochs']} + "
        f"{about['epochs']} epochs; {machine.summary({**about['machine'], 'seconds': 'each step a process'})}"
    )
    lines = [
        [
            row["step"],
            *(seconds(row[f"{kind} seconds"]) for kind in ("wall", "processor")),
            f"{row['gigabytes']:.2f}",
            f"{row['megabytes on disk']:.1f}",
            f"{row['lines logged']:,}",
        ]
        for row in rows
    ]
    return f"{title}\n\n{text(COLUMNS, lines)}"
