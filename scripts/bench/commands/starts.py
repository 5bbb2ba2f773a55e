"""Measures what starting costs: runs as processes of their own, and as forks of one that has imported everything.

    python scripts/benchmark.py starts [--repeats 5] [--quickstart] [--data DATA] [--json]

Both ways by turns, in folders and caches of their own, which are thrown away; wall time, from the start of a run to
its end. That both ways come to the same figures is checked before anything is printed. An evaluation is zero-shot
CLIP on the new classes of `shapes`, its image features kept. --quickstart adds the 18 runs of scripts/quickstart.sh,
as many at a time as there (--jobs), from the first start to the last end.

Exit status: 0; 1 where a run failed or the two ways disagree; 2 for bad input.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from unittest import mock

from common.arguments import add_data, command_parser, positive
from common.warm import WAYS
from protocols.planner import plan
from protocols.runs import Run, RunError, Runner
from run import parse_args as asked_for
from sweeping.whole import here, sweep
from sweeping.whole import report as report_of_sweep

from bench import machine
from bench.tables import seconds, text

EVALUATION = ("zsclip", "base2new", "shapes")
QUICKSTART = ("ship", "base2new", "shapes", "--with-baselines")
COLUMNS = ("", "runs", "processes\ns", "forks\ns", "ratio")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    rows = {}
    try:
        with tempfile.TemporaryDirectory(prefix="starts-") as folder:
            rows["one evaluation, median"] = evaluations(Path(folder, "evaluations"), args)
            if args.quickstart:
                rows["quickstart, all runs"] = quickstart(Path(folder, "quickstart"), args)
    except RunError as error:
        sys.exit(f"error: {error}")
    about = machine.described()
    print(json.dumps({"machine": about, "rows": rows}, indent=4) if args.json else report(about, rows))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py starts", __doc__)
    parser.add_argument("--repeats", type=int, default=5, help="evaluations whose median is given (5)")
    parser.add_argument("--quickstart", action="store_true", help="also the quickstart's runs, some minutes")
    most = min(os.cpu_count() or 1, 4)
    parser.add_argument("--jobs", type=positive, default=most, help="of --quickstart, runs at a time")
    add_data(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error("--repeats is at least 1")
    return args


def evaluations(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """Those of the first seed are not measured: they encode the images, and start the warm process."""
    seeds = [str(seed) for seed in range(1, args.repeats + 2)]
    measured = both_ways(folder, [*EVALUATION, *seeds, "--data", str(args.data)])
    row: dict[str, float] = {"runs": args.repeats}
    for way, runs in measured.items():
        row[way] = statistics.median(took for run, took in runs if run.seed > 1 and run.classes == "new")
    return row


def quickstart(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """All of its runs, by way. Raises RunError where one fails, or its figures are others."""
    plans, row = planned(folder, [*QUICKSTART, "--data", str(args.data)]), {}
    for way, runs in plans.items():
        print(f"quickstart, way: {way}", file=sys.stderr)
        start = time.perf_counter()
        with started(way, folder), redirect_stdout(sys.stderr):
            tasks = sweep(runs, here(args.jobs), folder / way, quiet=True)
        row[way] = time.perf_counter() - start
        if status := report_of_sweep(tasks):
            raise RunError("a run of the quickstart failed", status)
    for pair in zip(*plans.values(), strict=True):
        compare(pair)
    return {"runs": len(plans["fork"]), **row}


def planned(folder: Path, words: Sequence[str]) -> dict[str, list[Run]]:
    """The runs of a command of run.sh, by way."""
    return {way: plan(asked_for([*words, "--output", str(folder / way)])[1]) for way in WAYS}


def compare(pair: Sequence[Run]) -> None:
    """Raises RunError where the two have other figures."""
    figures = dict(zip(WAYS, (run.record()["metrics"] for run in pair), strict=True))
    if figures["fork"] != figures["process"]:
        raise RunError(f"{pair[0].title}: {figures['fork']} as a fork, {figures['process']} as a process", 1)


def both_ways(folder: Path, words: Sequence[str]) -> dict[str, list[tuple[Run, float]]]:
    """What each run took, by way. Raises RunError where one fails, or its figures are others."""
    plans = planned(folder, words)
    measured: dict[str, list[tuple[Run, float]]] = {way: [] for way in WAYS}
    with ExitStack() as opened:
        runners = {way: opened.enter_context(runner_of(way, folder)) for way in WAYS}
        for number, pair in enumerate(zip(*plans.values(), strict=True), start=1):
            for way, run in zip(WAYS, pair, strict=True):
                start = time.perf_counter()
                runners[way].execute(run, "")
                measured[way].append((run, time.perf_counter() - start))
            compare(pair)
            print(f"{number} of {len(plans['fork'])} runs, both ways", file=sys.stderr)
    return measured


def started(way: str, folder: Path) -> AbstractContextManager:
    """Has runs started this way, with a cache of their own."""
    return mock.patch.dict(os.environ, SHIP_START=way, SHIP_CACHE=str(folder / f"cache-{way}"))


@contextmanager
def runner_of(way: str, folder: Path) -> Iterator[Runner]:
    """A runner that starts runs this way."""
    with started(way, folder):
        runner = Runner(quiet=True, say=lambda line: None)
    with runner:
        yield runner


def report(about: dict, rows: dict[str, dict[str, float]]) -> str:
    lines = [
        [title, str(row["runs"]), *(seconds(row[way]) for way in ("process", "fork"))]
        + [f"{row['process'] / row['fork']:.1f}"]
        for title, row in rows.items()
    ]
    return f"{machine.summary({**about, 'seconds': 'wall time'})}\n\n{text(COLUMNS, lines)}"
