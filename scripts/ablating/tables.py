"""The tables of ablations: a row for each variant, with differences to one of them."""

from collections.abc import Sequence
from textwrap import fill

from report.series import Cell, Series, harmonic_cell
from tabulate import tabulate

from .kinds import ALONE, COMPARED, PAIRED
from .variants import Variant, harmonics, paired_difference

LABEL_WIDTH = 22
WIDTH = 100  # of a terminal
NARROW = 18  # of a label, where figures have deviations beside them
NO_KEYS = "SYNTHESIS none: {} without SHIP, as zero-shot CLIP for classes that it has no images of.\n"


def table_of(kind: str, variants: Sequence[Variant], reference: Variant) -> str:
    """An ablation's table on one dataset, with its notes; differences are to the reference, one of its rows."""
    return (paired_table if kind in PAIRED else plain_table)(kind, variants, reference)


def plain_table(kind: str, variants: Sequence[Variant], reference: Variant) -> str:
    headers = ["variant", "base", "new", "H", "Δ H, paired", "KL (nats)", "runs"]
    rows = [plain_row(variant, reference) for variant in variants]
    seeds, splits = seeds_and_splits(reference)
    spread = fill(f"Mean ± standard deviation over seeds {seeds} and class splits {splits}.", WIDTH)
    return f"""{title(reference)}, base-to-new, {kind}
{tabulate(rows, headers, disable_numparse=True, colalign=["left", *["right"] * 6])}
{spread}
Δ H, paired: to the run {reference.label} with the same class split and seed, in points."""


def paired_table(kind: str, variants: Sequence[Variant], reference: Variant) -> str:
    headers = ["variant", "base", "new", "H", "Δ H", "S", "U", "G", "Δ G", "KL"]
    rows = [paired_row(variant, reference) for variant in variants]
    seeds, splits = seeds_and_splits(reference)
    method = variants[-1].method.classifier
    means = (
        f"Means over seeds {seeds} and class splits {splits}. H: base-to-new; G: H of seen (S) and unseen (U) "
        f"classes where all compete. Δ: to {reference.label} of the same class split and seed, in points, "
        "± standard error clustered by class split. KL: of stage 1's last epoch, in nats."
    )
    note = NO_KEYS.format(method) if kind == COMPARED and reference.changed == ALONE else ""
    return f"""{title(reference)}, {kind}, SHIP on {method}
{tabulate(rows, headers, disable_numparse=True, colalign=["left", *["right"] * 9])}
{fill(means, WIDTH)}
{note}""".strip()


def title(variant: Variant) -> str:
    """Dataset, shots and, if it is not the recipe's, the backbone."""
    request = variant.request
    backbones = [backbone.title for backbone in request.backbones]
    return ", ".join([request.label(variant.dataset), f"{request.shots[0]} shots", *backbones])


def seeds_and_splits(variant: Variant) -> tuple[str, str]:
    splits = dict.fromkeys(split for split, _ in variant.runs)
    return " ".join(map(str, variant.request.seeds)), " ".join(map(str, splits))


def plain_row(variant: Variant, reference: Variant) -> list[str]:
    """Label, base, new, H, its difference to the reference's run of the same split and seed, KL, runs."""
    count, (base, new, kl) = len(variant.runs), variant.figures
    figures = [show(cell) for cell in (base.cell(count), new.cell(count), harmonic_cell(base, new, count))]
    own, other = harmonics(base, new), harmonics(*reference.figures[:2])
    paired = Series({key: own[key] - other[key] for key in own.keys() & other.keys()}).cell(count)
    difference = "–" if variant is reference else show(paired, sign="+")
    runs = str(min(len(base.values), len(new.values)))
    return [fill(variant.label, NARROW), *figures, difference, show(kl.cell(count), digits=4), runs]


def paired_row(variant: Variant, reference: Variant) -> list[str]:
    """Label, base, new, H and its difference, seen, unseen, their H and its difference, KL."""
    count, (base, new, kl) = len(variant.runs), variant.figures
    own, other = (base, new), reference.figures[:2]
    both, others = variant.competing, reference.competing
    missing = count - len(harmonics(*own))
    label = f"{variant.label} ({count - missing} of {count} runs)" if missing else variant.label
    cells = [base.cell(count), new.cell(count), harmonic_cell(*own, count)]
    competing = [*(part.cell(count) for part in both), harmonic_cell(*both, count)]
    differences = ["–", "–"] if variant is reference else [signed(own, other), signed(both, others)]
    figures = [*map(mean_of, cells), differences[0], *map(mean_of, competing), differences[1]]
    return [fill(label, LABEL_WIDTH), *figures, mean_of(kl.cell(count))]


def signed(own: Sequence[Series], other: Sequence[Series]) -> str:
    """What paired_difference gives, as a table has it."""
    found = paired_difference(own, other)
    if found is None:
        return "–"
    mean, error = found
    spread = "" if error is None else f" ± {error:.2f}"
    return f"{mean:+.2f}{spread}".replace("-", "−")


def mean_of(cell: Cell) -> str:
    return "–" if cell.mean is None else f"{cell.mean:.2f}"


def show(cell: Cell, digits: int = 2, sign: str = "") -> str:
    if cell.mean is None:
        return "–"
    spread = "" if cell.std is None else f" ± {cell.std:.{digits}f}"
    return f"{cell.mean:{sign}.{digits}f}{spread}".replace("-", "−")
