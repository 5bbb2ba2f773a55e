"""One method by one protocol: runs what is not complete, then prints the table.

    bash scripts/run.sh METHOD PROTOCOL DATASET… [SEED…] [options] [KEY VALUE …]
    bash scripts/ship/base2new.sh imagenet                               # the same as run.sh ship base2new imagenet
    bash scripts/run.sh clip_adapter fewshot dtd eurosat --shots 1,16 --with-baselines
    bash scripts/run.sh ship_cocoop base2new shapes 1 2 3 TRAINER.FEATURES.VIEWS 10
    bash scripts/ship/base2new.sh oxford_pets --backbone datacomp_b16    # under another CLIP, see configs/backbones
    bash scripts/ship/base2new.sh shapes --jobs 2                        # two runs at a time

base2new  train on the base classes, test on base and on new ones
gzsl      the same training; test with all classes competing
xd        train on DATASET; test on other datasets' classes. SHIP synthesizes for the names of a target's classes
dg        train on DATASET; test on the same classes elsewhere
fewshot   train and test on all classes, with 1, 2, 4, 8 and 16 shots
longtail  the same, with training images by class from 16 to none; SHIP synthesizes for the names of those without

METHOD is a name from configs/methods.yaml, or ship_X for SHIP on X. Complete runs (those with a results.json) are not
repeated. Folders are CoOp's; see scripts/protocols/layout.py. What the runs lack is listed before the first one
starts. One that fails is shown in its cell, and the others go on, but for the tests of a training that failed. After
Ctrl-C or SIGTERM the run finishes its step and keeps its epoch; the same command goes on. With --jobs 2 or more runs
are made as by sweep.py, whose exit status is then 1 for runs that failed.

Exit status: 0; 2 for bad input, and where something is missing; that of the first run that failed, 128 + n where
signal n ended it; 130 after Ctrl-C and 143 after SIGTERM.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from functools import partial

from common.arguments import command_parser
from common.command import run_command
from protocols.layout import PROTOCOLS
from protocols.planner import plan
from protocols.request import Request, add_options, add_words, read_request
from protocols.runs import Runner, report_failures, run_all
from report.table import print_table
from sweeping.tasks import announce
from sweeping.whole import add_jobs, here, report, sweep

NEXT_STEPS = """
What to do next:
  see what these runs have learned, a page for each:  python scripts/inspect_run.py --output {output}
  your own pictures, in class folders, and names without any:  bash scripts/fit.sh birds --without-pictures "hoopoe"
  a real dataset:  python scripts/download.py oxford_pets, then bash scripts/ship/base2new.sh oxford_pets
  what these figures mean, and everything else:  README.md and docs/"""


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request]:
    parser = command_parser("run.sh", __doc__)
    parser.add_argument("methods", metavar="METHOD", nargs=1, help="a name from configs/methods.yaml, or ship_X")
    parser.add_argument("protocol", metavar="PROTOCOL", choices=PROTOCOLS, help=", ".join(PROTOCOLS))
    add_words(parser)
    add_options(parser)
    add_jobs(parser)
    parser.add_argument("--next-steps", action="store_true", help=argparse.SUPPRESS)  # of quickstart.sh
    return read_request(parser, argv)


def main(argv: Sequence[str] | None = None) -> None:
    args, request = parse_args(argv)
    runs = plan(request)
    if not announce(runs, args.dry_run):
        return
    if args.jobs > 1:
        ended = partial(report, sweep(runs, here(args.jobs), request.output, args.quiet))
    else:
        with Runner(args.quiet) as runner:
            ended = partial(report_failures, run_all(runs, runner))
    print_table(request)
    if args.next_steps:
        print(NEXT_STEPS.format(output=shlex.quote(str(request.output))))
    sys.exit(ended())


if __name__ == "__main__":
    run_command(main, goes_on=True)
