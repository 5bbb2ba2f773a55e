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

The last four are measured in base-to-new and with all classes competing (gzsl), on SHIP's own method or on another
(--on tip_adapter_f), and the errors of their differences are clustered by class split: at least six are advised, as
in --class-splits 0 1 2 3 4 5. In the others each variant is the recipe with one setting changed.

Class split 0 is the benchmark's choice of base classes, the others are random. Complete runs are not repeated;
variants that ablations share are run once. Failures, signals and exit status are as with run.sh: see
bash scripts/run.sh --help.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import TYPE_CHECKING

from common.arguments import Several, command_parser
from common.command import run_command
from common.errors import fail
from protocols.layout import ablation_output
from protocols.methods import METHODS, Method
from protocols.planner import plan
from protocols.request import Request, add_options, add_words, read_request
from protocols.runs import Run, Runner, report_failures, run_all
from report.pages import add_into, publish
from report.saving import save
from report.series import Cell, Series, clustered_error, harmonic, harmonic_cell
from sweeping.tasks import announce
from tabulate import tabulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS, CLASS_SPLITS = (1, 2, 3, 4, 5), (0, 1, 2)
SHIP = "TRAINER.SHIP."  # whose keys are changed
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
    "lr": [{STAGE_TWO + "OPTIM.LR": 0.2}, PUBLISHED],
}
SPLIT: dict[str, object] = {"LOSS": "split"}
RESIDUAL: dict[str, object] = {"SYNTHESIS": "residual", "BATCH_SIZE": 64}
PARTS_OFF = {
    "LIKELIHOOD": "fixed",
    "PRIOR": "normal",
    "CENTRE": False,
    "GAP": False,
    "ENCODER": "features",
    "NOISE": False,
    "CONTEXT": "random",
}
COST, HELD_OUT = {"GZSL.CALIBRATION_COST": 1.0}, {"GZSL.CALIBRATION": "held_out"}
PAIRED = {  # measured by base2new and gzsl, with differences paired and their errors clustered
    "loss": [
        *(PUBLISHED, SPLIT),
        *({"SYNTHESIS": kind} | loss for kind in ("gaussian", "text", "untrained") for loss in ({}, SPLIT)),
        *(RESIDUAL, RESIDUAL | SPLIT),
    ],
    "residual": [
        *(PUBLISHED, SPLIT, RESIDUAL | SPLIT),
        *(RESIDUAL | SPLIT | {key: value} for key, value in PARTS_OFF.items()),
    ],
    "controls": [
        PUBLISHED,
        *({"SYNTHESIS": "none"}, {"SYNTHESIS": "none", "PULL": 2.0}),
        *({"SYNTHESIS": kind} | SPLIT for kind in ("text", "shifted", "isotropic", "within", "gaussian")),
        *({"SYNTHESIS": "gaussian", "PULL": 1.0} | SPLIT, RESIDUAL | SPLIT, RESIDUAL | SPLIT | {"PULL": 1.0}),
    ],
    "calibration": [PUBLISHED, COST, HELD_OUT, SPLIT, SPLIT | COST, SPLIT | HELD_OUT],
}
KINDS = ABLATIONS | PAIRED
AS_PUBLISHED, SHIP_ON, LABEL_WIDTH = "as published", "ship", 22
NARROW = 18  # of a label, where figures have deviations beside them
PULLED = ("coop", "kgcoop")  # methods whose text features TRAINER.SHIP.PULL can hold


class Variant:
    """One row: a method, what is changed, and its runs on a dataset by (class split, seed)."""

    def __init__(
        self,
        request: Request,
        splits: Sequence[int],
        method: Method,
        changed: Mapping[str, object],
        dataset: str,
        protocols: Sequence[str] = ("base2new",),
    ) -> None:
        self.request, self.method, self.changed, self.dataset = request, method, changed, dataset
        self.protocols = protocols
        self.runs = {(split, seed): self.plan(split, seed) for split in splits for seed in request.seeds}

    @property
    def label(self) -> str:
        if not self.method.synthesizes:
            return self.method.trainer
        return " ".join(f"{key} {value}" for key, value in self.changed.items()) or AS_PUBLISHED

    def plan(self, split: int, seed: int) -> list[Run]:
        """Training and test, with gzsl a second test."""
        changed = [word for key, value in self.changed.items() for word in (full_key(key), str(value))]
        pairs = (*changed, "DATASET.CLASS_DRAW", str(split), *self.request.pairs)
        output = ablation_output(self.request.output, self.label, split)
        one = {"methods": (self.method,), "datasets": (self.dataset,), "seeds": (seed,)}
        requests = [
            replace(self.request, protocol=name, output=output, pairs=pairs, **one) for name in self.protocols
        ]
        return list({run.folder: run for request in requests for run in plan(request)}.values())

    @cached_property
    def figures(self) -> tuple[Series, Series, Series]:
        """By (class split, seed): base accuracy, new accuracy, and the KL of stage 1's last epoch; read once."""
        base, new, kl = {}, {}, {}
        for key, (trained, tested, *_) in self.runs.items():
            for values, run in ((base, trained), (new, tested)):
                record = run.record()
                if record:
                    values[key] = record["metrics"]["accuracy"]
                    stage_one = record["training"].get("PromptVAE")
                    kl |= {key: stage_one["kl"]} if stage_one else {}
        return Series(base), Series(new), Series(kl)

    @cached_property
    def competing(self) -> tuple[Series, Series]:
        """By (class split, seed), where all classes compete: accuracy on seen and on unseen classes."""
        metrics = {key: (run.record() or {}).get("metrics", {}) for key, (*_, run) in self.runs.items()}
        parts = ("seen", "unseen")
        return tuple(Series({key: found[part] for key, found in metrics.items() if part in found}) for part in parts)

    def drawn(self, reference: "Variant", competing: bool) -> list[tuple[float, float | None] | None]:
        """H and its difference to the reference, with errors clustered by class split; and so where all compete."""
        found = []
        pairs = [(self.figures[:2], reference.figures[:2]), (self.competing, reference.competing)]
        for own, other in pairs if competing else pairs[:1]:
            mean = harmonic_cell(*own, len(self.runs)).mean
            found.append(None if mean is None else (mean, clustered_error(harmonics(*own))))
            found.append(None if self is reference else paired_difference(own, other))
        return found

    def paired_row(self, reference: "Variant") -> list[str]:
        """Label, base, new, H and its difference, seen, unseen, their H and its difference, KL."""
        count, (base, new, kl) = len(self.runs), self.figures
        own, other = (base, new), reference.figures[:2]
        both, others = self.competing, reference.competing
        missing = count - len(harmonics(*own))
        label = f"{self.label} ({count - missing} of {count} runs)" if missing else self.label
        cells = [base.cell(count), new.cell(count), harmonic_cell(*own, count)]
        competing = [*(part.cell(count) for part in both), harmonic_cell(*both, count)]
        differences = ["–", "–"] if self is reference else [paired(own, other), paired(both, others)]
        figures = [*map(mean_of, cells), differences[0], *map(mean_of, competing), differences[1]]
        return [fill(label, LABEL_WIDTH), *figures, mean_of(kl.cell(count))]

    def row(self, reference: "Variant") -> list[str]:
        """Label, base, new, H, its difference to the reference's run of the same split and seed, KL, runs."""
        count, (base, new, kl) = len(self.runs), self.figures
        figures = [show(cell) for cell in (base.cell(count), new.cell(count), harmonic_cell(base, new, count))]
        own, other = harmonics(base, new), harmonics(*reference.figures[:2])
        paired = Series({key: own[key] - other[key] for key in own.keys() & other.keys()}).cell(count)
        difference = "–" if self is reference else show(paired, sign="+")
        runs = str(min(len(base.values), len(new.values)))
        return [fill(self.label, NARROW), *figures, difference, show(kl.cell(count), digits=4), runs]


def full_key(key: str) -> str:
    if key.startswith("GZSL."):
        return f"TRAINER.{key}"
    return key.removeprefix(STAGE_TWO) if key.startswith(STAGE_TWO) else SHIP + key


def harmonics(base: Series, new: Series) -> dict:
    return {key: harmonic(base.values[key], new.values[key]) for key in base.values.keys() & new.values.keys()}


def paired(own: tuple[Series, Series], other: tuple[Series, Series]) -> str:
    """What paired_difference gives, as a table has it."""
    found = paired_difference(own, other)
    if found is None:
        return "–"
    mean, error = found
    spread = "" if error is None else f" ± {error:.2f}"
    return f"{mean:+.2f}{spread}".replace("-", "−")


def paired_difference(own: tuple[Series, Series], other: tuple[Series, Series]) -> tuple[float, float | None] | None:
    """The mean difference of H over runs of one class split and seed, with its error clustered by class split."""
    one, another = harmonics(*own), harmonics(*other)
    values = {key: one[key] - another[key] for key in one.keys() & another.keys()}
    return (fmean(values.values()), clustered_error(values)) if values else None


def mean_of(cell: Cell) -> str:
    return "–" if cell.mean is None else f"{cell.mean:.2f}"


def show(cell: Cell, digits: int = 2, sign: str = "") -> str:
    if cell.mean is None:
        return "–"
    spread = "" if cell.std is None else f" ± {cell.std:.{digits}f}"
    return f"{cell.mean:{sign}.{digits}f}{spread}".replace("-", "−")


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, Request]:
    parser = command_parser("ablate.py", __doc__)
    parser.add_argument("ablation", metavar="ABLATION", choices=KINDS, help=", ".join(KINDS))
    add_words(parser)
    add_options(parser, seeds="1 2 3 4 5")
    splits = "choices of the base classes (0 1 2)"
    parser.add_argument("--class-splits", "--draws", action=Several, numbers=True, metavar="N", help=splits)
    parser.add_argument("--baselines", dest="with_baselines", action="store_true", help=argparse.SUPPRESS)
    on = "of loss, residual, controls and calibration: the method that SHIP is on (coop)"
    parser.add_argument("--on", dest="methods", metavar="METHOD", type=lambda name: [f"{SHIP_ON}_{name}"], help=on)
    reference = "of these: the row that differences are taken to, by its label, such as CoOp (as published)"
    parser.add_argument("--reference", metavar="ROW", default=AS_PUBLISHED, help=reference)
    add_into(parser)
    plot_help = "also draw it, to this folder, as ABLATION_DATASET_Nshots.png and .pdf"
    parser.add_argument("--plot", metavar="FOLDER", type=Path, help=plot_help)
    parser.set_defaults(protocol="base2new", methods=[SHIP_ON])
    args, request = read_request(parser, argv, SEEDS)
    if args.ablation not in PAIRED and args.reference != AS_PUBLISHED:
        parser.error(f"--reference is of the ablations {', '.join(PAIRED)}")
    if len(request.backbones) > 1:
        parser.error("--backbone: an ablation is under one")
    args.class_splits = args.class_splits or list(CLASS_SPLITS)
    return args, request


def variants_of(request: Request, ablation: str, splits: Sequence[int], dataset: str) -> list[Variant]:
    """The rows of the table: baselines where they are wanted, then what the ablation changes."""
    *baselines, ship = request.methods
    changes = [changed for changed in KINDS[ablation] if "PULL" not in changed or ship.classifier in PULLED]
    settings = [*((method, PUBLISHED) for method in baselines), *((ship, changed) for changed in changes)]
    protocols = ("base2new", "gzsl") if ablation in PAIRED else ("base2new",)
    return [Variant(request, splits, *setting, dataset, protocols) for setting in settings]


def main(argv: Sequence[str] | None = None) -> None:
    args, request = parse_args(argv)
    tables = [variants_of(request, args.ablation, args.class_splits, dataset) for dataset in request.datasets]
    if args.ablation in PAIRED:
        row_named(args.reference, tables[0])  # before anything runs
    runs = [run for rows in tables for variant in rows for pair in variant.runs.values() for run in pair]
    if not announce(runs, args.dry_run):
        return
    with Runner(args.quiet) as runner:
        failures = run_all(runs, runner)
    text = "\n\n".join(table_of(args, request, rows) for rows in tables)
    publish(text if args.into else f"\n{text}", args.into, args.section or args.ablation)
    if args.plot:
        plot(args, request, tables)
    sys.exit(report_failures(failures))


def table_of(args: argparse.Namespace, request: Request, variants: Sequence[Variant]) -> str:
    """One dataset's table, with its notes."""
    if args.ablation in PAIRED:
        return paired_table(args, request, variants)
    headers = ["variant", "base", "new", "H", "Δ H, paired", "KL (nats)", "runs"]
    align = ["left", *["right"] * 6]
    reference = next(variant for variant in variants if variant.method.synthesizes and not variant.changed)
    rows = [variant.row(reference) for variant in variants]
    splits, seeds = (" ".join(map(str, numbers)) for numbers in (args.class_splits, request.seeds))
    return f"""{place(request, reference)}, base-to-new, {args.ablation}
{tabulate(rows, headers, disable_numparse=True, colalign=align)}
Mean ± standard deviation over seeds {seeds} and class splits {splits}.
Δ H, paired: to the run as published with the same class split and seed, in points."""


def paired_table(args: argparse.Namespace, request: Request, variants: Sequence[Variant]) -> str:
    """The same for the ablations that are PAIRED."""
    headers = ["variant", "base", "new", "H", "Δ H", "S", "U", "G", "Δ G", "KL"]
    reference = row_named(args.reference, variants)
    rows = [variant.paired_row(reference) for variant in variants]
    splits, seeds = (" ".join(map(str, numbers)) for numbers in (args.class_splits, request.seeds))
    return f"""{place(request, variants[-1])}, {args.ablation}, SHIP on {variants[-1].method.classifier}
{tabulate(rows, headers, disable_numparse=True, colalign=["left", *["right"] * 9])}
Means over seeds {seeds} and class splits {splits}. H: base-to-new; G: H of seen (S) and unseen (U)
classes where all compete. Δ: to {reference.label} of the same class split and seed, in points,
± standard error clustered by class split. KL: of stage 1's last epoch, in nats."""


def place(request: Request, variant: Variant) -> str:
    """Dataset, shots and, if it is not the recipe's, the backbone."""
    backbones = [backbone.title for backbone in request.backbones]
    return ", ".join([request.label(variant.dataset), f"{request.shots[0]} shots", *backbones])


def plot(args: argparse.Namespace, request: Request, tables: Sequence[Sequence[Variant]]) -> None:
    """Draws each dataset's table; ends the program with status 2 without matplotlib, or where it cannot write."""
    names = (f"{args.ablation}_{request.label(rows[0].dataset)}_{request.shots[0]}shots" for rows in tables)
    drawn = ((name, figure_of(args, rows)) for name, rows in zip(names, tables, strict=True))
    try:
        print("\n" + "\n".join(map(str, save(drawn, args.plot))))
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("matplotlib"):
            raise
        fail("plots need matplotlib: pip install matplotlib")
    except OSError as error:
        fail(f"cannot write to {args.plot}: {error}")


def figure_of(args: argparse.Namespace, variants: Sequence[Variant]) -> "Figure":
    """One dataset's plot: H, and of the ablations that are PAIRED G too, with differences and clustered errors."""
    from report.looks import Named  # here, since tables go without matplotlib
    from report.variant_figure import Drawn, variants_figure

    reference, competing = row_named(args.reference, variants), args.ablation in PAIRED
    rows = []
    for variant in variants:
        method = METHODS[variant.method.classifier or variant.method.name]
        named = Named(method.title, method.family, method.title, variant.method.synthesizes)
        whole = len(harmonics(*variant.figures[:2])) == len(variant.runs)
        rows.append(Drawn(fill(variant.label, LABEL_WIDTH), named, variant.drawn(reference, competing), whole))
    return variants_figure(rows, ("H", "Δ H", "G", "Δ G") if competing else ("H", "Δ H"), reference.label)


def row_named(label: str, variants: Sequence[Variant]) -> Variant:
    """The row of that label; ends the program where there is none."""
    named = {variant.label: variant for variant in variants}
    if label not in named:
        fail(f"--reference {label}: no row is called so; there are {', '.join(named)}")
    return named[label]


if __name__ == "__main__":
    run_command(main, goes_on=True)
