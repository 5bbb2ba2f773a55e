"""Every method on the same samples: runs what is not complete, then prints the table.

    bash scripts/compare.sh DATASET… [--methods …] [--protocol base2new] [--seeds 1 2 3]

A run that fails is shown in its cell and the others go on; the exit status is then 1.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from layout import PROTOCOLS, TARGETS
from methods import METHODS
from protocols import Planner, add_arguments, complete, print_recipes, print_table
from runs import Run, RunError, Runner, note_failure, training_failed
from tqdm import tqdm


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="compare.sh"
    )
    parser.add_argument(
        "datasets", metavar="DATASET", nargs="+", help="names from configs/datasets; xd, dg: the source"
    )
    add_comparison(parser)
    parser.add_argument("--verbose", action="store_true", help="show what each run prints")
    args = parser.parse_args(argv)
    complete_comparison(args, parser)
    return args


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """What compare.sh and sweep.py have in common, besides the datasets."""
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="default: all")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="base2new")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", dest="pairs", nargs="+", default=[], metavar="KEY VALUE", help="pairs for train.py")
    add_arguments(parser)


def complete_comparison(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Fills in what follows from what was given; ends the program where something does not fit."""
    if args.protocol in TARGETS and len(args.datasets) > 1:
        parser.error(f"{args.protocol} has one source: give one DATASET")
    complete(args, parser, args.datasets)


def plan(args: argparse.Namespace) -> list[Run]:
    """All runs, each once: methods may share the training that another protocol's test is of."""
    runs: dict = {}
    for dataset in args.datasets:
        for name in args.methods:
            for seed in args.seeds:
                for run in Planner(args, METHODS[name], dataset, seed).runs():
                    runs.setdefault(run.folder, run)
    return list(runs.values())


def execute(runs: Sequence[Run], runner: Runner) -> Iterator[str]:
    """Runs one after the other behind one progress line; gives the message of each that fails."""
    broken = set()
    with tqdm(total=len(runs), desc="runs", unit="run", file=sys.stdout, dynamic_ncols=True) as bar:
        for index, run in enumerate(runs, start=1):
            bar.set_postfix_str(run.title)
            try:
                if run.model is not None and run.model.folder in broken:
                    raise RunError(training_failed(run), 1)
                runner.execute(run, f"[{index}/{len(runs)}]")
            except RunError as error:
                broken.add(run.folder)
                note_failure(run, error)
                yield str(error)
            bar.update()


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    runs = plan(args)
    print_recipes(runs)
    failures = list(execute(runs, Runner(quiet=not args.verbose, say=tqdm.write, bars=args.verbose)))
    print_table(args, args.datasets, args.seeds)
    for message in failures:
        print(f"failed: {message}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
