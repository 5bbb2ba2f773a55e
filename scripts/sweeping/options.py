"""The options of sweep.py that SLURM takes."""

import argparse

from common.arguments import Several, positive, positive_size

DEFAULTS = {"partition": None, "gpus": None, "time": 240, "mem": None, "cpus": 4, "timeouts": 20, "slurm": []}
OPTIONS = {
    "partition": "partition",
    "gpus-per-node": "gpus",
    "time": "time",
    "mem": "mem",
    "cpus-per-task": "cpus",
}
TAKEN = ("array", "job-name", "output", "error", "open-mode", "signal", "dependency")  # by the sweep or by submitit


def add_slurm(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("with --executor slurm").add_argument
    add("--partition", metavar="NAME", help="default: the cluster's")
    add("--gpus", type=positive, metavar="N", help="of a job (default: none are asked for)")
    add("--time", type=positive, metavar="MINUTES", help="of a job, which is then queued again and goes on (240)")
    add("--timeouts", type=positive, metavar="N", help="how often a job may run out of time (20)")
    add("--mem", type=positive_size, metavar="GB", help="of a job (default: the cluster's)")
    add("--cpus", type=positive, metavar="N", help="of a job, and its threads (4)")
    add(
        "--slurm",
        action=Several,
        metavar="KEY=VALUE",
        help="further options of sbatch, such as account=mine qos=long",
    )


def read_slurm(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Fills in defaults, and `further` from --slurm; ends the program with status 2 where something does not fit."""
    given = [name for name in DEFAULTS if getattr(args, name) is not None]
    if args.executor != "slurm" and given:
        parser.error(f"--{given[0]} is for --executor slurm")
    for name, value in DEFAULTS.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.further = {}
    for word in args.slurm:
        key, has_value, value = word.removeprefix("--").partition("=")
        key = key.replace("_", "-")
        if key in OPTIONS:
            parser.error(f"--slurm {key}: give it as --{OPTIONS[key]}")
        if key in TAKEN or not key:
            parser.error(f"--slurm {word}: the sweep sets this itself")
        args.further[key] = value if has_value else True
