"""Many runs at once, on this machine or on SLURM: runs what is not complete, then prints the table.

    python scripts/sweep.py DATASET… [SEED…] [options] [KEY VALUE …]
    python scripts/sweep.py oxford_pets eurosat --methods coop ship --seeds 1 2 3 --jobs 4 --dry-run
    python scripts/sweep.py imagenet --protocol xd --executor slurm --partition NAME --gpus 1 --slurm account=NAME
    python scripts/sweep.py shapes --ablations loss controls --on coop,tip_adapter_f --class-splits 0 1 2 3 4 5

With --ablations it makes the runs of scripts/ablate.py, where they and their options are explained.
One job a run; a test waits for its training. A job that fails is repeated once; what fails again is listed with its
logs and shown in its cell, and the others go on. Ctrl-C cancels the jobs, which keep their newest epoch; the same
command goes on. Needs submitit: pip install submitit, or the extra .[sweep].

Exit status: 0; 1 where runs failed; 2 for bad input; 130 after Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ablating.kinds import KINDS
from ablating.options import SEEDS, Ablation, ablations_of, add_ablation_options, all_runs
from common.arguments import Several, command_parser, positive
from common.command import run_command
from protocols.methods import SHIP
from protocols.planner import plan
from protocols.request import Request, add_methods, add_options, add_words, read_request
from report.table import print_table
from sweeping.backend import Backend
from sweeping.options import add_slurm, read_slurm
from sweeping.tasks import announce
from sweeping.whole import here, report, sweep


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request, list[Ablation]]:
    parser = command_parser("sweep.py", __doc__)
    add_words(parser)
    add_methods(parser)
    add_options(parser)
    parser.add_argument("--executor", choices=("local", "slurm"), default="local")
    parser.add_argument(
        "--jobs",
        type=positive,
        help="runs at a time (default here: one a GPU, else one a core; on SLURM: as many as it takes)",
    )
    add_slurm(parser)
    names = f"in the place of --methods: {', '.join(KINDS)}; seeds are then {' '.join(map(str, SEEDS))}"
    parser.add_argument("--ablations", metavar="NAME", action=Several, default=[], help=names)
    add_ablation_options(parser)
    if parser.parse_intermixed_args(argv).ablations:
        args, request = read_request(parser, argv, SEEDS, methods=[SHIP])
    else:
        args, request = read_request(parser, argv)
    read_slurm(args, parser)
    check_ablations(args, request, parser)
    return args, request, ablations_of(parser, args, request, args.ablations)


def check_ablations(args: argparse.Namespace, request: Request, parser: argparse.ArgumentParser) -> None:
    """Ends the program with status 2 where what is asked for is not that of ablations, or of them alone."""
    unknown = [name for name in args.ablations if name not in KINDS]
    if unknown:
        parser.error(f"--ablations {unknown[0]}: there are {', '.join(KINDS)}")
    if args.ablations and args.protocol != "base2new":
        parser.error(f"--ablations are of base2new, some of gzsl too, and not of {args.protocol}: leave it out")
    if args.ablations and not all(method.synthesizes or method.baseline for method in request.methods):
        parser.error("--ablations are of SHIP: name the methods that it is on by --on, not by --methods")
    if not args.ablations and (args.class_splits or args.reference):
        parser.error("--class-splits and --reference are for --ablations")


def backend(args: argparse.Namespace, folder: Path, runs: int) -> Backend:
    """Where the runs are made; `folder` is that of their jobs. Raises SweepError, ImportError where there is none."""
    if args.executor == "local":
        return here(args.jobs)(folder, runs)
    from sweeping.slurm import Cluster

    options = {name: getattr(args, name) for name in ("cpus", "partition", "gpus", "mem", "further")}
    return Cluster(folder, args.jobs, args.time, args.timeouts, **options)


def main(argv: Sequence[str] | None = None) -> None:
    args, request, ablations = parse_args(argv)
    runs = all_runs(ablations) if args.ablations else plan(request)
    if not announce(runs, args.dry_run):
        return
    tasks = sweep(runs, lambda folder, count: backend(args, folder, count), args.output, args.quiet)
    for ablation in ablations:
        print(f"\n{ablation.table()}")
    if not args.ablations:
        print_table(request, request.seeds)
    sys.exit(report(tasks))


if __name__ == "__main__":
    run_command(main, goes_on=True)
