"""SHIP's ablations and controls, base-to-new: what changes when one setting does.

    bash scripts/ablations/NAME.sh DATASET [--seeds 1 2 3 4 5] [--draws 0 1 2]

synthesis    where features without images come from: the VAE, or a control
kl_weight    weight of the KL divergence, with the KL that results; annealing and free bits against its collapse
context      context tokens of the prompts that the VAE writes
bias         one bias for all context tokens, or one for each
latent       dimensions of the latent; 0: the features'
synthesized  synthesized features a step; 0: as many as real ones
epochs       epochs of stage 1
lr           learning rate of stage 2; the one of `shapes` was chosen by this, on shapes_dev

Each variant is the recipe with one setting changed. A draw is a choice of base classes: 0 is the benchmark's, the
others are random. Complete runs are kept; variants that ablations share are run once.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property

from layout import ablation_output
from methods import METHODS
from protocols import Planner, add_arguments, complete, print_recipes
from report.series import Cell, Series, harmonic, harmonic_cell
from runs import Run, Runner, run_all
from tabulate import tabulate

SHIP = "TRAINER.SHIP."
STAGE_TWO = "stage 2: "  # marks keys of the run, not of TRAINER.SHIP
PUBLISHED: dict[str, object] = {}
ABLATIONS: dict[str, list[dict[str, object]]] = {
    "synthesis": [PUBLISHED, *({"SYNTHESIS": kind} for kind in ("text", "untrained", "mean", "gaussian"))],
    "kl_weight": [
        PUBLISHED,
        *({"KL_WEIGHT": weight} for weight in (0.1, 0.01, 0.001, 0.0)),
        {"KL_ANNEAL": 25},
        {"FREE_BITS": 0.05},
    ],
    "context": [{"N_CTX": 1}, {"N_CTX": 2}, PUBLISHED, {"N_CTX": 8}, {"N_CTX": 16}],
    "bias": [PUBLISHED, {"BIAS_PER_TOKEN": True}],
    "latent": [{"LATENT_DIM": 8}, {"LATENT_DIM": 32}, PUBLISHED],
    "synthesized": [{"SYNTHESIZED": 64}, PUBLISHED, {"SYNTHESIZED": 1024}],
    "epochs": [{"OPTIM.MAX_EPOCH": 10}, {"OPTIM.MAX_EPOCH": 25}, PUBLISHED, {"OPTIM.MAX_EPOCH": 100}],
    "lr": [*({STAGE_TWO + "OPTIM.LR": rate} for rate in (0.02, 0.2)), PUBLISHED, {STAGE_TWO + "OPTIM.LR": 3.0}],
}
BASELINES = ("zsclip", "coop")


class Variant:
    """One row: a method, what is changed, and its runs by (draw, seed)."""

    def __init__(self, args: argparse.Namespace, method: str, changed: dict[str, object]) -> None:
        self.args, self.method, self.changed = args, METHODS[method], changed
        self.runs = {(draw, seed): list(self.plan(draw, seed)) for draw in args.draws for seed in args.seeds}

    @property
    def label(self) -> str:
        if not self.method.synthesizes:
            return self.method.trainer
        return " ".join(f"{key} {value}" for key, value in self.changed.items()) or "as published"

    def plan(self, draw: int, seed: int) -> Iterator[Run]:
        pairs = [word for key, value in self.changed.items() for word in (full_key(key), str(value))]
        args = argparse.Namespace(**vars(self.args))
        args.output = ablation_output(self.args.output, self.label, draw)
        args.pairs = [*pairs, "DATASET.CLASS_DRAW", str(draw), *self.args.pairs]
        yield from Planner(args, self.method, args.dataset, seed, self.recipe()).runs()

    def recipe(self) -> str:
        return self.args.recipe if self.method.synthesizes else ""

    @cached_property
    def figures(self) -> tuple[Series, Series, Series]:
        """By (draw, seed): base accuracy, new accuracy, and the KL of stage 1's last epoch; read once."""
        base, new, kl = {}, {}, {}
        for key, (trained, tested) in self.runs.items():
            for values, run in ((base, trained), (new, tested)):
                record = run.record()
                if record:
                    values[key] = record["metrics"]["accuracy"]
                    stage_one = record["training"].get("PromptVAE")
                    kl |= {key: stage_one["kl"]} if stage_one else {}
        return Series(base), Series(new), Series(kl)

    def row(self, reference: "Variant") -> list[str]:
        """Label, base, new, H, its difference to the reference's run of the same draw and seed, KL, runs."""
        count, (base, new, kl) = len(self.runs), self.figures
        figures = [show(cell) for cell in (base.cell(count), new.cell(count), harmonic_cell(base, new, count))]
        own, other = harmonics(base, new), harmonics(*reference.figures[:2])
        paired = Series({key: own[key] - other[key] for key in own.keys() & other.keys()}).cell(count)
        difference = "–" if self is reference else show(paired, sign="+")
        complete = str(min(len(base.values), len(new.values)))
        return [self.label, *figures, difference, show(kl.cell(count), digits=4), complete]


def full_key(key: str) -> str:
    return key.removeprefix(STAGE_TWO) if key.startswith(STAGE_TWO) else SHIP + key


def harmonics(base: Series, new: Series) -> dict:
    return {key: harmonic(base.values[key], new.values[key]) for key in base.values.keys() & new.values.keys()}


def show(cell: Cell, digits: int = 2, sign: str = "") -> str:
    return "–" if cell.mean is None else f"{cell.mean:{sign}.{digits}f} ± {cell.std:.{digits}f}".replace("-", "−")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="ablate.py"
    )
    parser.add_argument("ablation", choices=ABLATIONS, help=argparse.SUPPRESS)
    parser.add_argument("dataset", metavar="DATASET", help="a name from configs/datasets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2], help="of the base classes (0 1 2)")
    parser.add_argument("--recipe", default="", help="SHIP's, from configs/trainers/SHIP")
    parser.add_argument("--baselines", action="store_true", help="rows of zero-shot CLIP and CoOp too")
    parser.add_argument("--set", dest="pairs", nargs="+", default=[], metavar="KEY VALUE", help="pairs for train.py")
    add_arguments(parser)
    args = parser.parse_args(argv)
    args.protocol = "base2new"
    complete(args, parser, [args.dataset])
    return args


def main(argv: Sequence[str] | None = None) -> None:
    sys.stdout.reconfigure(line_buffering=True)
    args = parse_args(argv)
    baselines = [Variant(args, name, {}) for name in BASELINES] if args.baselines else []
    variants = [*baselines, *(Variant(args, "ship", changed) for changed in ABLATIONS[args.ablation])]
    runs = [run for variant in variants for pair in variant.runs.values() for run in pair]
    print_recipes(runs)
    run_all(runs, Runner(args.quiet))
    print_table(args, variants)


def print_table(args: argparse.Namespace, variants: Sequence[Variant]) -> None:
    headers = ["variant", "base", "new", "H", "Δ H, paired", "KL (nats)", "runs"]
    align = ["left", *["right"] * 6]
    reference = next(variant for variant in variants if variant.method.synthesizes and not variant.changed)
    rows = [variant.row(reference) for variant in variants]
    print(f"\n{args.dataset}, {args.shots[0]} shots, base-to-new, {args.ablation}")
    print(tabulate(rows, headers, disable_numparse=True, colalign=align))
    print(f"Mean ± standard deviation over seeds {args.seeds} and draws of the base classes {args.draws}.")
    print("Δ H, paired: to the run as published with the same draw and seed, in points.")


if __name__ == "__main__":
    main()
