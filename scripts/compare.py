"""Every method on the same samples: runs what is not complete, then prints the table.

    bash scripts/compare.sh DATASET… [SEED…] [options] [KEY VALUE …]
    bash scripts/compare.sh shapes
    bash scripts/compare.sh oxford_pets eurosat --methods coop ship --seeds 1 2 3
    bash scripts/compare.sh oxford_pets --methods zsclip closed_form linear
    bash scripts/compare.sh imagenet --protocol xd TRAINER.FEATURES.VIEWS 10
    bash scripts/compare.sh oxford_pets --methods coop ship --backbones vit_b16 datacomp_b16

--methods takes families too, for all of their methods, alone and with SHIP, that have a recipe for the datasets:
prompts, adapters, linear, closed_form, zero-shot, and all for everything. The default is a few quick ones. With
several --backbones, files of configs/backbones or any CLIP, the last table is methods × backbones.

What the runs lack is listed before the first one starts. One that fails is shown in its cell and the others go on.
After Ctrl-C or SIGTERM the run finishes its step and keeps its epoch; the same command goes on. With --jobs 2 or more
runs are made as by sweep.py.

Exit status: 0; 1 where runs failed, 128 + n where signal n ended one; 2 for bad input, and where something is
missing; 130 after Ctrl-C and 143 after SIGTERM.
"""

import argparse
import sys
from collections.abc import Sequence

from common.arguments import command_parser
from common.command import run_command
from protocols.planner import plan
from protocols.request import Request, add_methods, add_options, add_words, read_request
from protocols.runs import Run, RunError, Runner, report_failures, run_all
from report.table import print_table
from sweeping.tasks import announce
from sweeping.whole import add_jobs, here, report, sweep
from tqdm import tqdm


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request]:
    parser = command_parser("compare.sh", __doc__)
    add_words(parser)
    add_methods(parser)
    add_options(parser)
    add_jobs(parser)
    parser.add_argument("--verbose", action="store_true", help="show what each run prints")
    return read_request(parser, argv)


def execute(runs: Sequence[Run], verbose: bool) -> list[RunError]:
    """Runs one after the other, on a terminal above one progress bar; gives what failed."""
    looks = {"unit": "run", "file": sys.stdout, "dynamic_ncols": True}
    runner = Runner(quiet=not verbose, say=tqdm.write, bars=verbose)
    with runner, tqdm(runs, desc="runs", disable=None, **looks) as bar:
        return run_all(bar, runner)


def main(argv: Sequence[str] | None = None) -> None:
    args, request = parse_args(argv)
    runs = plan(request)
    if not announce(runs, args.dry_run):
        return
    if args.jobs > 1:
        tasks = sweep(runs, here(args.jobs), request.output, not args.verbose)
        print_table(request, request.seeds)
        sys.exit(report(tasks))
    failures = execute(runs, args.verbose)
    print_table(request, request.seeds)
    report_failures(failures)
    by_signal = (failure.status for failure in failures if failure.status > 128)
    sys.exit(next(by_signal, 1 if failures else 0))


if __name__ == "__main__":
    run_command(main, goes_on=True)
