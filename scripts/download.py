"""Fetches datasets into DATA, in the layout that the loaders read; what is there is kept, what broke off goes on.

    python scripts/download.py DATASET… [options]
    python scripts/download.py oxford_pets eurosat --data /path/to/datasets
    python scripts/download.py all --dry-run

Addresses come from configs/sources.yaml. A file that cannot be fetched can be put into the dataset's folder by hand,
under its name: the same command then unpacks it. Exit status: 0; 1 if a dataset is not whole at the end; 2 for bad
input.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from common.arguments import Several, add_data, command_parser
from common.command import run_command
from common.errors import fail
from fetch.sources import Sources, SourcesError, read_sources
from protocols.catalogue import CatalogueError, Dataset, first_line, known_names, prepare_imports, unknown_name
from tabulate import tabulate


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_parser("download.py", __doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="DATASET", help=f"all, or names from {', '.join(known_names())}")
    add("--datasets", action=Several, metavar="DATASET", help="the same as DATASET…")
    add_data(parser, "--root")
    add("--dry-run", action="store_true", help="say what is missing; fetch nothing")
    add("--keep-archives", action="store_true", help="default: deleted when they have been unpacked")
    add("--sources", type=Path, metavar="FILE", help="other addresses, as configs/sources.yaml has them")
    add("--tries", type=int, default=4, help="of a transfer that gets no further (4)")
    pause = "before the first further try, then twice that … (1)"
    add("--wait", type=float, default=1.0, metavar="SECONDS", help=pause)
    args = parser.parse_intermixed_args(argv)
    args.names += [*(args.datasets or ()), *args.rest]
    if not args.names:
        parser.error("the following arguments are required: DATASET")
    for name in args.names:
        if name != "all" and name not in known_names():
            parser.error(unknown_name(name))
    if args.tries < 1 or not 0 <= args.wait < math.inf:
        parser.error("--tries is at least 1, and --wait at least 0")
    return args


def chosen(names: Sequence[str], sources: dict[str, Sources]) -> list[str]:
    """The names asked for, each once; for `all`, those that have something to fetch."""
    everything = [name for name in known_names() if name in sources and not sources[name].note]
    return list(dict.fromkeys(name for word in names for name in (everything if word == "all" else [word])))


def provide(name: str, sources: dict[str, Sources], args: argparse.Namespace) -> tuple[bool, str]:
    """Makes one dataset whole; whether it is, and a line about it."""
    from fetch.prepare import Options, Preparation
    from fetch.shortcomings import shortcomings
    from fetch.transfer import Patience

    if name in sources and sources[name].note:
        return True, sources[name].note
    try:
        dataset = Dataset(name, args.data)
    except CatalogueError as error:
        return False, first_line(error)
    if dataset.is_rendered:
        return True, "comes with the project and is rendered on first use: nothing to download"
    source = sources.get(name) or sources.get(dataset.kind) or Sources(note="nothing is known about where to get it")
    if source.note:
        return True, source.note
    print(f"{name}: {dataset.folder}", flush=True)
    findings = dataset.inspect()
    if shortcomings(dataset, source, findings) and not args.dry_run:
        options = Options(args.keep_archives, Patience(args.tries, args.wait))
        attempt(Preparation(dataset, source, options))
        findings = dataset.inspect()
    problems = shortcomings(dataset, source, findings)
    return not problems, "\n".join(problems) or f"{findings.total:,} images"


def attempt(preparation) -> None:
    """Runs it, and prints what failed."""
    from fetch.errors import FetchError

    try:
        failures = preparation.run()
    except (FetchError, OSError) as error:
        failures = [str(error)]
    for failure in failures:
        print(f"error: {preparation.dataset.name}: {failure}", file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> bool:
    """Provides all that was asked for and prints what has become of it; whether everything is there.

    Raises SourcesError, CatalogueError.
    """
    sources, rows = read_sources(args.sources), []
    prepare_imports()
    for name in chosen(args.names, sources):
        ready, line = provide(name, sources, args)
        rows.append((name, "ready" if ready else "NOT READY", line))
    print(f"\n{tabulate(rows, tablefmt='plain')}")
    return all(row[1] == "ready" for row in rows)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        ready = run(args)
    except (SourcesError, CatalogueError) as error:
        fail(error)
    sys.exit(0 if ready else 1)


if __name__ == "__main__":
    run_command(main, goes_on=True)
