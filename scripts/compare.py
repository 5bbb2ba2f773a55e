"""Every method on the same samples: runs what is not complete, then prints the table.

    bash scripts/compare.sh DATASET… [SEED…] [options] [KEY VALUE …]
    bash scripts/compare.sh shapes
    bash scripts/compare.sh oxford_pets eurosat --methods coop ship --seeds 1 2 3
    bash scripts/compare.sh imagenet --protocol xd TRAINER.FEATURES.VIEWS 10

A run that fails is shown in its cell and the others go on; the exit status is then 1, and 2 for bad input.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from common.arguments import command_parser
from protocols.planner import plan
from protocols.request import Request, add_methods, add_options, add_words, read_request
from protocols.runs import Run, RunError, Runner, note_failure, training_failed
from report.table import print_table
from sweeping.tasks import announce
from tqdm import tqdm


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request]:
    parser = command_parser("compare.sh", __doc__)
    add_words(parser)
    add_methods(parser)
    add_options(parser)
    parser.add_argument("--verbose", action="store_true", help="show what each run prints")
    return read_request(parser, argv)


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
    args, request = parse_args(argv)
    runs = plan(request)
    if not announce(runs, args.dry_run):
        return
    failures = list(execute(runs, Runner(quiet=not args.verbose, say=tqdm.write, bars=args.verbose)))
    print_table(request, request.seeds)
    for message in failures:
        print(f"failed: {message}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
