"""Counts how often each picture, in each view, is encoded by the runs of all methods, in a cache of their own.

    python scripts/benchmark.py encodings
    python scripts/benchmark.py encodings --protocols base2new gzsl fewshot --methods coop ship --seeds 1

The runs are those of `bash scripts/compare.sh shapes --methods all`, but for one epoch in each stage of training: how
many there are does not change what is encoded, as all recipes of `shapes` bank views. The cache is empty at first.
What a run encoded and read it says in its results.json; which pictures these were is seen by what it left in the
cache. A view is told by the picture, its place among the training pictures, the view's number, and the seed: its
random numbers follow from these. Features of two runs are of one view where they are equal within rounding.

Exit status: 0; 1 where a run failed, or a view was encoded more than once; 2 for bad input.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from common.arguments import Several, add_data, command_parser
from compare import parse_args as asked_for
from protocols.layout import PROTOCOLS
from protocols.planner import plan
from protocols.runs import Run, RunError, Runner
from yacs.config import CfgNode

from bench import machine
from bench.encoded import VIEWS, Count, Encoded
from bench.measure import show
from bench.tables import text
from datasets.shapes import Shapes

SHORT = ("OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1")
TITLES = {
    "test": "test pictures",
    "val": "validation pictures",
    VIEWS: "training pictures, views",
    "train": "training pictures as in a test",
}
COLUMNS = ("", "runs", "read", "encoded", "pictures\nin a view", "encoded\n/ pictures")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="encodings-") as folder:
            runs = planned(args, Path(folder, "output"))
            counts = counted(runs, Path(folder, "cache"), args.data)
    except RunError as error:
        sys.exit(f"error: {error}")
    about = {"runs": len(runs), "protocols": args.protocols, "machine": machine.described()}
    rows = {title: count.as_plain() for title, count in counts.items()}
    print(json.dumps({**about, "rows": rows}, indent=4) if args.json else report(about, counts))
    sys.exit(1 if any(count.again for count in counts.values()) else 0)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py encodings", __doc__)
    add = parser.add_argument
    add("--methods", action=Several, metavar="METHOD", help="as compare.sh takes them (all)")
    add("--protocols", nargs="+", choices=PROTOCOLS, default=["base2new"], help="one or several (base2new)")
    add("--seeds", action=Several, numbers=True, metavar="SEED", help="(1 2 3)")
    add_data(parser)
    add("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def planned(args: argparse.Namespace, output: Path) -> list[Run]:
    """The protocols' runs, each once; ends the program with status 2 for methods that there are not."""
    words = ["shapes", *map(str, args.seeds or (1, 2, 3)), "--methods", *(args.methods or ["all"])]
    words += ["--data", str(args.data), "--output", str(output), *SHORT]
    asked = (asked_for([*words, "--protocol", protocol])[1] for protocol in args.protocols)
    return list({run.folder: run for request in asked for run in plan(request)}.values())


def counted(runs: Sequence[Run], cache: Path, data: Path) -> dict[str, Count]:
    """What was encoded and read, by the kind of pictures. Raises RunError where a run fails."""
    with mock.patch.dict(os.environ, SHIP_CACHE=str(cache)):
        runner = Runner(quiet=True, say=show, bars=False)
    account = None
    with runner:
        for number, run in enumerate(runs, start=1):
            runner.execute(run, f"[{number}/{len(runs)}]")
            account = account or Encoded(cache / Shapes.__name__, pictures(data))  # the first run renders them
            account.add(run.method.name, run.record()["images"])
    return dict(account.counts)


def pictures(data: Path) -> dict[str, list[str]]:
    """The files of the dataset, by part."""
    parts = zip(("train", "val", "test"), Shapes.listed(CfgNode({"DATASET": {"ROOT": str(data)}})), strict=True)
    return {title: [item.impath for item in part] for title, part in parts}


def report(about: Mapping, counts: Mapping[str, Count]) -> str:
    named = {TITLES.get(title, title): count for title, count in counts.items()}
    lines = [
        [title, *(f"{number:,}" for number in (count.runs, count.read, count.encoded, count.distinct))]
        + [f"{count.encoded / count.distinct:.2f}" if count.distinct else "–"]
        for title, count in named.items()
    ]
    again = [
        f"{title}: {number:,} encoded by {by} again, after {after}"
        for title, count in named.items()
        for (by, after), number in count.again.items()
    ]
    title = f"{about['runs']} runs, {', '.join(about['protocols'])}; {machine.summary(about['machine'])}"
    return "\n".join([title, "", text(COLUMNS, lines), "", *(again or ["No picture was encoded twice in a view."])])
