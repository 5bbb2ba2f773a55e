"""Says what is ready and what is missing: Python, PyTorch, engine, CLIP's weights, datasets; and what to do next.

    python scripts/doctor.py [DATASET…] [options]
    python scripts/doctor.py
    python scripts/doctor.py oxford_pets --data /path/to/datasets --deep

Nothing is written. Exit status: 0; 1 if the environment is at fault or a dataset that was named is not ready; 2 for
bad input.
"""

from __future__ import annotations  # so that an old Python gets as far as being told so

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

try:
    from common.arguments import Several, add_data, command_parser, default_data
    from common.command import run_command
    from fetch.sources import read_sources
    from health.environment import Check, check_environment
    from protocols.catalogue import known_names, unknown_name
    from tabulate import tabulate
except ImportError as missing:
    sys.exit(
        f"error: {missing}; install the dependencies: bash scripts/quickstart.sh, or pip install . in the checkout"
    )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("doctor.py", __doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="DATASET", help="names from configs/datasets (default: all)")
    add("--datasets", action=Several, metavar="DATASET", help="the same as DATASET…")
    add_data(parser, "--root")
    add("--deep", action="store_true", help="also decode every image and check CLIP's weights")
    args = parser.parse_intermixed_args(argv)
    args.names += [*(args.datasets or ()), *args.rest]
    for name in args.names:
        if name not in known_names():
            parser.error(unknown_name(name))
    return args


def print_environment(checks: Sequence[Check]) -> None:
    rows = [(check.what, check.found, "NOT READY" if check.remedy else "") for check in checks]
    print(f"{tabulate(rows, tablefmt='plain')}\n")


def print_datasets(reports: Sequence, root: Path) -> None:
    rows = [(one.name, one.folder, one.split, one.images, one.few_shot, one.state) for one in reports]
    headers = ("dataset", "folder", "split", "images", "shots (seeds) kept", "state")
    absent = "" if root.is_dir() else " (not there)"
    print(f"Datasets in {root}{absent}\n{tabulate(rows, headers, disable_numparse=True)}")


def print_lines(title: str, lines: Sequence[str]) -> None:
    if lines:
        print("\n".join([f"\n{title}:", *(f"  {line}" for line in lines)]))


def next_steps(checks: Sequence[Check], reports: Sequence, root: Path) -> Iterator[str]:
    """The commands that would bring what is missing; of what is rendered on first use, for the first alone."""
    yield from (check.remedy for check in checks if check.remedy)
    folder = shlex.quote(str(root))
    wanted = [report.name for report in reports if report.can_be_fetched]
    if wanted:
        yield f"python scripts/download.py {' '.join(wanted)} --data {folder}"
    by_hand = [f"{report.name}: {report.by_hand}" for report in reports if report.can_be_fetched and report.by_hand]
    if by_hand:
        yield f"# by hand, which the downloader says more of: {', '.join(by_hand)}"
    data = "" if root == absolute(default_data()) else f"DATA={folder} "
    waiting = [report.name for report in reports if report.waits]
    yield from (f"{data}bash scripts/ship/base2new.sh {name}" for name in waiting[:1])


def absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    checks, reports, root = check_environment(args.deep), [], absolute(args.data)
    print_environment(checks)
    works = not any(check.is_needed and check.remedy for check in checks)
    if works:
        from health.data import examine

        sources = read_sources()
        reports = [examine(name, root, sources, args.deep) for name in args.names or known_names()]
        print_datasets(reports, root)
    told = [report for report in reports if args.names or report.is_there]  # of the others the table says enough
    print_lines("Missing", [f"{report.name}: {line}" for report in told for line in report.problems])
    print_lines("Next", list(next_steps(checks, reports, root)))
    ready = not args.names or all(report.is_ready for report in reports)
    sys.exit(0 if works and ready else 1)


if __name__ == "__main__":
    run_command(main)
