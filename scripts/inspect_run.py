"""Makes a page that shows what a run has learned: accuracy, prompts, and for SHIP reconstruction and synthesis.

    python scripts/inspect_run.py output/base2new/train_base/shapes/shots_16/SHIP/shapes/seed1
    python scripts/inspect_run.py RUN --to report.html --map pca
    python scripts/inspect_run.py RUN --compare RUN … --to comparison.html
    python scripts/inspect_run.py --output OUTPUT

RUN is the output folder of a complete run. The page is one HTML file that needs nothing else. Beside it lie all its
numbers as JSON (report.json), and its figures as PNG and PDF (in the folder report). --compare puts runs side by
side, with differences by class to the first. --output makes a page of each complete run under OUTPUT, and an index
with the tables of the protocols. Pictures come through the cache of features; without them, what needs them is left
out, and that is said. Needs jinja2 and matplotlib.

Exit status: 0; 1 where --output left runs out, which are listed; 2 for bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common.arguments import command_parser
from common.command import run_command
from common.errors import fail

from trainers.blocks.errors import InputError

NAMES = {"run": "report.html", "compare": "comparison.html", "output": "index.html"}
NEEDED = ("jinja2", "matplotlib")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("inspect_run.py", __doc__)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", type=Path, help="output folder of a complete run")
    add(
        "--compare", metavar="RUN", nargs="+", type=Path, default=[], help="other runs, to be compared with the first"
    )
    add("--output", metavar="OUTPUT", type=Path, help="a folder of runs: a page for each, and an index")
    add("--to", metavar="PAGE", type=Path, help="the page's file, .html (default: in the folder of RUN or OUTPUT)")
    add("--map", choices=("tsne", "pca"), default="tsne", help="how features are put into the plane (tsne)")
    add("--data", type=Path, help="folder of the datasets, if not where the run had it")
    add("--backbone", default="", help="CLIP's name or file, if that has moved; it has to be the run's")
    args = parser.parse_args(argv)
    if (args.run is None) == (args.output is None):
        parser.error("it takes a RUN, or --output OUTPUT")
    if args.compare and args.output:
        parser.error("--compare goes with a RUN, not with --output")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    import compat

    compat.ensure()
    from datasets import DatasetError

    kind = "output" if args.output else "compare" if args.compare else "run"
    to = args.to or (args.output or args.run) / NAMES[kind]
    try:
        from inspecting.page import check_writable
        from inspecting.reports import compare_runs, report_output, report_run

        check_writable(to)
        if kind == "output":
            left_out = report_output(args, to)
        else:
            left_out = False
            compare_runs(args, to) if args.compare else report_run(args, args.run, to)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in NEEDED:
            raise
        fail("inspect_run.py needs jinja2 and matplotlib: pip install jinja2 matplotlib")
    except (InputError, DatasetError, *compat.input_errors()) as error:
        fail(error)
    print(f"Written: {to}")
    sys.exit(1 if left_out else 0)


if __name__ == "__main__":
    run_command(main)
