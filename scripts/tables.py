"""Tables of runs: methods in rows, mean ± deviation over seeds, beside published figures where wanted.

python scripts/tables.py [OUTPUT …] [--protocol base2new|gzsl|xd|dg|fewshot] [--format text|markdown|latex|csv]

Reads results.json, else Dassl's log.txt (upstream's CoOp, CoCoOp, MaPLe), and marks which. Exit status: 0; 1 with the
table where a results.json cannot be read, which counts as missing; 2 where there are no runs, or for bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from layout import PROTOCOLS
from report.blocks import NoRuns, build
from report.published import PUBLISHED, PublishedError
from report.render import FORMATS, render
from report.results import load, report_unreadable

OUTPUT = Path(__file__).resolve().parents[1] / "output"


def table(
    outputs: Sequence[Path],
    protocol: str,
    datasets: Sequence[str] | None = None,
    format: str = "text",
    published: Sequence[Path] = (),
    seeds: Sequence[int] | None = None,
) -> str:
    """A protocol's table of the runs under `outputs`, for all datasets that have runs unless some are named.

    `seeds`: those to take and to expect; by default all that a run was found for. Raises NoRuns, PublishedError.
    """
    runs = load(outputs, protocol, seeds)
    report_unreadable(runs)
    return render(build(runs, protocol, datasets, published, seeds), format)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="tables.py"
    )
    add = parser.add_argument
    add("outputs", metavar="OUTPUT", type=Path, nargs="*", help="folders of runs (default: output/ in the checkout)")
    add("--protocol", choices=PROTOCOLS, default="base2new")
    add("--format", choices=FORMATS, default="text")
    add("--dataset", metavar="NAME", nargs="+", action="extend", help="datasets, or targets (default: all with runs)")
    add("--seeds", metavar="SEED", type=int, nargs="+", help="those to take and to expect (default: all found)")
    add(
        "--published",
        metavar="FILE",
        type=Path,
        nargs="*",
        action="extend",
        help="published figures too: those of configs/published.yaml and of files of your own in the same shape",
    )
    args = parser.parse_args(argv)
    if any(path.is_dir() for path in args.published or ()):
        parser.error("--published takes files; name the folders of runs before it")
    return args


def fail(message: object) -> None:
    """Ends the program for bad input."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    outputs = args.outputs or [OUTPUT]
    papers = [] if args.published is None else [PUBLISHED, *args.published]
    runs = load(outputs, args.protocol, args.seeds)
    unreadable = report_unreadable(runs)
    try:
        text = render(build(runs, args.protocol, args.dataset, papers, args.seeds), args.format)
    except NoRuns as missing:
        fail(
            f"no {missing} under {', '.join(map(str, outputs))}.\n"
            f"Make them with: bash scripts/ship/{args.protocol}.sh {missing.dataset or 'DATASET'}"
        )
    except PublishedError as error:
        fail(str(error))
    print(text)
    sys.exit(1 if unreadable else 0)


if __name__ == "__main__":
    main()
