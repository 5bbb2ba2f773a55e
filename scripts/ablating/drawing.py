"""The plots of ablations: H by variant, and its difference with clustered errors. They need matplotlib."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from protocols.methods import METHODS
from report.saving import save
from report.series import clustered_error, harmonic_cell

from .kinds import PAIRED
from .options import Ablation
from .tables import LABEL_WIDTH
from .variants import Variant, harmonics, paired_difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Value = tuple[float, float | None] | None  # a figure and its error, where there are any


def plot(ablations: Sequence[Ablation], folder: Path) -> None:
    """Draws each table."""
    print("\n" + "\n".join(map(str, save(named_figures(ablations), folder))))


def named_figures(ablations: Sequence[Ablation]) -> Iterator[tuple[str, "Figure"]]:
    """Each table's figure, with what its file is called: that SHIP is on something else than CoOp is said."""
    for ablation in ablations:
        last = ablation.variants[-1]
        on = "" if last.method.classifier == "coop" else f"_{last.method.classifier}"
        dataset, shots = last.request.label(last.dataset), last.request.shots[0]
        yield f"{ablation.kind}{on}_{dataset}_{shots}shots", figure_of(ablation)


def figure_of(ablation: Ablation) -> "Figure":
    """H, and of the ablations that are PAIRED G too, each with its difference to the reference."""
    from report.looks import Named  # here, since tables go without matplotlib
    from report.variant_figure import Drawn, variants_figure

    competing, reference = ablation.kind in PAIRED, ablation.reference
    rows = []
    for variant in ablation.variants:
        method = METHODS[variant.method.classifier or variant.method.name]
        named = Named(method.title, method.family, method.title, variant.method.synthesizes)
        whole = len(harmonics(*variant.figures[:2])) == len(variant.runs)
        values = values_of(variant, reference, competing)
        rows.append(Drawn(fill(variant.label, LABEL_WIDTH), named, values, whole))
    return variants_figure(rows, ("H", "Δ H", "G", "Δ G") if competing else ("H", "Δ H"), reference.label)


def values_of(variant: Variant, reference: Variant, competing: bool) -> list[Value]:
    """H and its difference to the reference, with errors clustered by class split; and so where all compete."""
    found: list[Value] = []
    pairs = [(variant.figures[:2], reference.figures[:2]), (variant.competing, reference.competing)]
    for own, other in pairs if competing else pairs[:1]:
        mean = harmonic_cell(*own, len(variant.runs)).mean
        found.append(None if mean is None else (mean, clustered_error(harmonics(*own))))
        found.append(None if variant is reference else paired_difference(own, other))
    return found
