"""SHIP's ablations and controls, base-to-new: what changes when one setting does.

    bash scripts/ablations/ABLATION.sh DATASET… [SEED…] [options] [KEY VALUE …]
    bash scripts/ablations/synthesis.sh shapes --with-baselines
    bash scripts/ablations/kl_weight.sh oxford_pets 1 2 3 --class-splits 0 TRAINER.FEATURES.VIEWS 10

synthesis    where features without images come from: the VAE, or a control
kl_weight    weight of the KL divergence, with the KL that results; annealing and free bits against its collapse
context      context tokens of the prompts that the VAE writes
bias         one bias for all context tokens, or one for each
latent       dimensions of the latent; 0: the features'
synthesized  synthesized features a step; 0: as many as real ones
epochs       epochs of stage 1
lr           learning rate of stage 2; the one of `shapes` was chosen by this, on shapes_dev

loss         the joint loss and the split one, with several syntheses
residual     SYNTHESIS residual under the split loss, and with each of its parts switched off
controls     what of a synthesis matters: no synthesis, a shift, noise of several kinds, KgCoOp's pull
calibration  the penalty on seen classes, by its cost or on classes held out
compared     what the others come to: the method without SHIP, SHIP as published, and with the split loss

The last five are measured in base-to-new and with all classes competing (gzsl), on SHIP's own method or on others
(--on coop,tip_adapter_f), and the errors of their differences are clustered by class split: at least six are advised,
as in --class-splits 0 1 2 3 4 5. In the others each variant is the recipe with one setting changed.

Class split 0 is the benchmark's choice of base classes, the others are random. Complete runs are not repeated;
variants that ablations share are run once. With --jobs 2 or more, failures, signals and exit status are as with
sweep.py, which makes the same runs on clusters; else as with run.sh: see bash scripts/run.sh --help.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ablating.drawing import plot
from ablating.kinds import KINDS
from ablating.options import SEEDS, Ablation, ablations_of, add_ablation_options, all_runs
from common.arguments import command_parser
from common.command import run_command
from protocols.methods import SHIP
from protocols.request import Request, add_options, add_words, read_request
from protocols.runs import Run, Runner, report_failures, run_all
from report.pages import add_into, publish
from sweeping.tasks import announce
from sweeping.whole import add_jobs, here, report, sweep


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request, list[Ablation]]:
    parser = command_parser("ablate.py", __doc__)
    parser.add_argument("ablation", metavar="ABLATION", choices=KINDS, help=", ".join(KINDS))
    add_words(parser)
    add_options(parser, seeds=" ".join(map(str, SEEDS)))
    add_ablation_options(parser)
    parser.add_argument("--baselines", dest="with_baselines", action="store_true", help=argparse.SUPPRESS)
    add_jobs(parser)
    add_into(parser)
    plot_help = "also draw it, to this folder, as ABLATION_DATASET_Nshots.png and .pdf"
    parser.add_argument("--plot", metavar="FOLDER", type=Path, help=plot_help)
    parser.set_defaults(protocol="base2new")
    args, request = read_request(parser, argv, SEEDS, methods=[SHIP])
    return args, request, ablations_of(parser, args, request, [args.ablation])


def main(argv: Sequence[str] | None = None) -> None:
    args, _, ablations = parse_args(argv)
    runs = all_runs(ablations)
    if not announce(runs, args.dry_run):
        return
    status = make(runs, args)
    text = "\n\n".join(ablation.table() for ablation in ablations)
    publish(text if args.into else f"\n{text}", args.into, args.section or args.ablation)
    if args.plot:
        plot(ablations, args.plot)
    sys.exit(status)


def make(runs: Sequence[Run], args: argparse.Namespace) -> int:
    """Makes the runs that are not complete; gives the exit status."""
    if args.jobs > 1:
        return report(sweep(runs, here(args.jobs), args.output, args.quiet))
    with Runner(args.quiet) as runner:
        return report_failures(run_all(runs, runner))


if __name__ == "__main__":
    run_command(main, goes_on=True)
