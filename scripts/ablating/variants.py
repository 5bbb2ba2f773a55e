"""A row of an ablation: its runs on a dataset by class split and seed, and what they come to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import fmean

from protocols.layout import ablation_output
from protocols.methods import Method
from protocols.planner import plan
from protocols.request import Request
from protocols.runs import Run
from report.series import Series, clustered_error, harmonic

from .kinds import ABLATIONS, COMPARED, OF_TESTS, PUBLISHED, Changes, alone, full_key, rows_of

AS_PUBLISHED = "as published"
BASE, NEW, ALL = "base", "new", "all"  # classes that runs are tested on


class Variant:
    """One row: a method, what is changed of it, and its runs on a dataset by (class split, seed)."""

    def __init__(
        self,
        request: Request,
        splits: Sequence[int],
        method: Method,
        changed: Changes,
        dataset: str,
        protocols: Sequence[str] = ("base2new",),
    ) -> None:
        self.request, self.method, self.changed, self.dataset = request, method, changed, dataset
        self.protocols = protocols
        self.runs = {(split, seed): self.plan(split, seed) for split in splits for seed in request.seeds}

    @property
    def label(self) -> str:
        return self.named(self.changed)

    def named(self, changes: Changes) -> str:
        """The row of these changes."""
        if not self.method.synthesizes:
            return self.method.trainer
        return " ".join(f"{key} {value}" for key, value in changes.items()) or AS_PUBLISHED

    def plan(self, split: int, seed: int) -> list[Run]:
        """Training on base classes, test on new ones, with gzsl one among all.

        Where a test alone is changed, it is one of the model that is trained without the change.
        """
        trained = {key: value for key, value in self.changed.items() if key not in OF_TESTS}
        runs = {run.classes: run for run in self.planned(trained, split, seed)}
        if ALL in runs and trained != self.changed:
            own = {run.classes: run for run in self.planned(self.changed, split, seed)}
            runs[ALL] = replace(own[ALL], model=runs[BASE])
        return list(runs.values())

    def planned(self, changes: Changes, split: int, seed: int) -> list[Run]:
        """The protocols' runs with these changes, each once."""
        pairs = [word for key, value in changes.items() for word in (full_key(key), str(value))]
        request = replace(
            self.request,
            methods=(self.method,),
            datasets=(self.dataset,),
            seeds=(seed,),
            output=ablation_output(self.request.output, self.named(changes), split),
            pairs=(*pairs, "DATASET.CLASS_DRAW", str(split), *self.request.pairs),
        )
        found = [run for name in self.protocols for run in plan(replace(request, protocol=name))]
        return list({run.folder: run for run in found}.values())

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


def variants_of(request: Request, kind: str, splits: Sequence[int], dataset: str, ship: Method) -> list[Variant]:
    """The rows of an ablation of SHIP on a method: baselines where they are wanted, then what it changes."""
    baselines = [(method, PUBLISHED) for method in request.methods if not method.synthesizes]
    protocols = ("base2new",) if kind in ABLATIONS else ("base2new", "gzsl")
    settings = [*baselines, *rows_of(kind, ship)]
    found = [Variant(request, splits, method, changed, dataset, protocols) for method, changed in settings]
    return list({variant.label: variant for variant in found}.values())


def reference_of(kind: str, variants: Sequence[Variant], label: str = "") -> Variant:
    """The row that differences are to: that of the label, by default SHIP as published; in `compared`, without SHIP.

    Raises ValueError where no row has the label.
    """
    if label:
        named = {variant.label: variant for variant in variants}
        if label not in named:
            raise ValueError(f"--reference {label}: no row is called so; there are {', '.join(named)}")
        return named[label]
    ship = variants[-1].method
    wanted = alone(ship) if kind == COMPARED else (ship, PUBLISHED)
    return next(variant for variant in variants if (variant.method, variant.changed) == wanted)


def runs_of(variants: Sequence[Variant]) -> list[Run]:
    """The runs of all rows, each once: rows, and ablations, may share some."""
    found = [run for variant in variants for runs in variant.runs.values() for run in runs]
    return list({run.folder: run for run in found}.values())


def harmonics(base: Series, new: Series) -> dict[tuple[int, int], float]:
    """H by (class split, seed), of those that have both figures."""
    return {key: harmonic(base.values[key], new.values[key]) for key in base.values.keys() & new.values.keys()}


def paired_difference(own: Sequence[Series], other: Sequence[Series]) -> tuple[float, float | None] | None:
    """The mean difference of H over runs of one class split and seed, with its error clustered by class split."""
    one, another = harmonics(*own), harmonics(*other)
    values: Mapping = {key: one[key] - another[key] for key in one.keys() & another.keys()}
    return (fmean(values.values()), clustered_error(values)) if values else None
