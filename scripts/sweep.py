"""Many runs at once, on this machine or on SLURM: runs what is not complete, then prints the table.

    python scripts/sweep.py DATASET… [SEED…] [options] [KEY VALUE …]
    python scripts/sweep.py oxford_pets eurosat --methods coop ship --seeds 1 2 3 --jobs 4 --dry-run
    python scripts/sweep.py imagenet --protocol xd --executor slurm --partition NAME --gpus 1 --slurm account=NAME

One job a run; a test waits for its training. A job that fails is repeated once; what fails again is listed with its
logs and shown in its cell, and the others go on. Ctrl-C cancels the jobs, which keep their newest epoch; the same
command goes on. Needs submitit: pip install submitit, or the extra .[sweep].

Exit status: 0; 1 where runs failed; 2 for bad input; 130 after Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing

from common.arguments import command_parser, positive
from common.command import run_command
from common.errors import fail
from common.stopping import Stopped
from protocols.planner import plan
from protocols.request import Request, add_methods, add_options, add_words, read_request
from report.table import print_table
from sweeping.backend import Backend, SweepError
from sweeping.folders import SweepFolder
from sweeping.options import add_slurm, read_slurm
from sweeping.tasks import State, Task, announce, tasks_of
from sweeping.view import View


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request]:
    parser = command_parser("sweep.py", __doc__)
    add_words(parser)
    add_methods(parser)
    add_options(parser)
    parser.add_argument("--executor", choices=("local", "slurm"), default="local")
    parser.add_argument(
        "--jobs",
        type=positive,
        help="local: runs at a time (default: one a GPU, else one a core); slurm: those of one array (default: all)",
    )
    add_slurm(parser)
    args, request = read_request(parser, argv)
    read_slurm(args, parser)
    return args, request


def backend(args: argparse.Namespace, folder: SweepFolder, runs: int) -> Backend:
    """Raises SweepError where there is none."""
    try:
        from sweeping.local import LocalMachine
        from sweeping.slurm import Cluster
    except ImportError as error:
        raise SweepError(
            f"{error}. sweep.py needs submitit: pip install submitit, or pip install '.[sweep]' in the checkout."
        ) from error
    if args.executor == "local":
        return LocalMachine(folder.jobs, args.jobs, runs)
    options = {name: getattr(args, name) for name in ("cpus", "partition", "gpus", "mem", "further")}
    return Cluster(folder.jobs, args.jobs, args.time, args.timeouts, **options)


def run(args: argparse.Namespace, tasks: Sequence[Task]) -> int | None:
    """Runs what is not complete; gives the signal that stopped it. Raises SweepError."""
    waiting = sum(task.state is State.WAITING for task in tasks)
    if not waiting:
        return None
    folder = SweepFolder(args.output)
    place = backend(args, folder, waiting)
    from sweeping.driver import Sweep

    print(f"{waiting} of {len(tasks)} runs on {place.describe()}; logs in {folder.path}", flush=True)
    with closing(place), folder.locked(), View(tasks, args.quiet) as view:
        sweep = Sweep(tasks, place, folder, view)
        sweep.go()
    return sweep.stopped_by


def report(tasks: Sequence[Task]) -> int:
    """Lists what failed; gives the exit status."""
    missing = [task for task in tasks if task.state in (State.FAILED, State.NOT_RUN)]
    for task in missing:
        print(f"{task.state.value}: {task.message}", file=sys.stderr)
    return 1 if missing else 0


def main(argv: Sequence[str] | None = None) -> None:
    args, request = parse_args(argv)
    runs = plan(request)
    if not announce(runs, args.dry_run):
        return
    tasks = tasks_of(runs)
    try:
        stopped_by = run(args, tasks)
    except SweepError as error:
        fail(error)
    if stopped_by is not None:
        raise Stopped(stopped_by)
    print_table(request, request.seeds)
    sys.exit(report(tasks))


if __name__ == "__main__":
    run_command(main, goes_on=True)
