"""Tables of runs: methods in rows, mean ± deviation over seeds, beside published figures where wanted.

    python scripts/tables.py [OUTPUT …] [options]
    python scripts/tables.py --protocol xd --methods coop ship --format latex
    python scripts/tables.py output other/output --datasets dtd eurosat --published mine.yaml
    python scripts/tables.py --protocol gzsl --into docs/results-on-shapes.md

Reads results.json, else Dassl's log.txt (upstream's CoOp, CoCoOp, MaPLe), and marks which. Exit status: 0; 1 with the
table where a results.json cannot be read, which counts as missing; 2 where there are no runs, or for bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common.arguments import command_parser
from common.command import run_command
from common.errors import fail
from protocols.layout import PROTOCOLS
from report.blocks import NoRuns
from report.by_backbone import build_under
from report.choice import add_choice, chosen_runs, read_choice
from report.pages import add_into, publish
from report.published import PUBLISHED, PublishedError
from report.render import FORMATS, render
from report.results import report_unreadable


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("tables.py", __doc__)
    add = parser.add_argument
    add_choice(parser)
    add("--protocol", choices=PROTOCOLS, default="base2new")
    add("--format", choices=FORMATS, default="text")
    add(
        "--published",
        metavar="FILE",
        type=Path,
        nargs="*",
        action="extend",
        help="published figures too: those of configs/published.yaml and of files of your own in the same shape",
    )
    add_into(parser)
    args = read_choice(parser, argv)
    if any(path.is_dir() for path in args.published or ()):
        parser.error("--published takes files; name the folders of runs before it")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    papers = [] if args.published is None else [PUBLISHED, *args.published]
    runs = chosen_runs(args)
    unreadable = report_unreadable(runs)
    try:
        text = render(
            build_under(args.backbones, runs, args.protocol, args.datasets, papers, args.seeds), args.format
        )
    except NoRuns as missing:
        under_it = f" --backbone {missing.backbone}" if missing.backbone else ""
        fail(
            f"no {missing} under {', '.join(map(str, args.outputs))}.{missing.hint}\n"
            f"Make them with: bash scripts/ship/{args.protocol}.sh {missing.dataset or 'DATASET'}{under_it}"
        )
    except PublishedError as error:
        fail(str(error))
    publish(text, args.into, args.section or args.protocol, fenced=args.format == "text")
    sys.exit(1 if unreadable else 0)


if __name__ == "__main__":
    run_command(main)
