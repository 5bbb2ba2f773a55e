"""What a reader must know to read a table: a line for each thing that occurs in it."""

from collections.abc import Iterator, Sequence

from .blocks import PAIRS, Block
from .results import MARKS, RunResult
from .rows import MethodRuns

UNCHECKED = "*"


def notes(blocks: Sequence[Block], bold: bool) -> list[str]:
    """The notes on blocks of one protocol; `bold`: whether the format sets the best figures in bold."""
    cells = [cell for block in blocks for row in block.rows for cell in row.cells]
    lines = list(_on_means(blocks))
    if any(cell.mean is not None and cell.note for cell in cells):
        lines.append("(n of N): seeds that have the figure; such a cell is neither compared nor best.")
    calibrations = sorted({method.calibration for block in blocks for method in block.methods} - {""})
    if calibrations:
        lines.append(f"{', '.join(calibrations)}: TRAINER.GZSL.CALIBRATION, a penalty on seen classes' logits.")
    own = [block for block in blocks if not block.is_across]
    references = sorted({block.reference.recipe for block in own if block.reference and block.compares})
    if references:
        lines.append(f"Δ, or the line below a figure: difference to CoOp ({', '.join(references)}), in points.")
    if bold:
        lines.append("Bold: the highest of the runs' complete cells.")
    lines += [f"{mark} {what}" for mark, what in MARKS.items() if any(mark in cell.marks for cell in cells)]
    if not all(row.checked for block in blocks for row in block.rows):
        lines.append(f"{UNCHECKED} not re-checked against the paper")
    methods = list({id(method): method for block in blocks for method in block.methods}.values())
    return [*lines, *_on_recipes(methods), *(line for method in methods for line in _on_failures(method.runs))]


def _on_means(blocks: Sequence[Block]) -> Iterator[str]:
    protocol = blocks[0].protocol
    averaged = any(len(block.datasets) > 1 for block in blocks)
    yield "Accuracy in %, mean ± standard deviation over seeds (of the population, as CoOp's scripts have it)."
    if protocol == "gzsl":
        yield "S, U: averages per class over seen and over unseen classes; accuracy: plain, over all test images."
    if protocol == "longtail":
        yield (
            "Averages per class over classes with many (5 and more), few (1 to 4) and no training images, which each "
            "seed draws anew; accuracy: plain, over all test images."
        )
    if protocol in PAIRS:
        yield (
            "H is the harmonic mean of the two mean accuracies, as in the papers; "
            "its deviation is that of the seeds' own H."
        )
    if averaged:
        yield "An average is over the seeds that have all datasets; its deviation is that of the seeds' averages."
    if averaged and protocol in PAIRS:
        yield "Its H is that of the two averages, as in the papers; the average of the datasets' H is another figure."
    if protocol in ("xd", "dg"):
        yield "mean: over the targets; its deviation is that of the seeds' own means."


def _on_recipes(methods: Sequence[MethodRuns]) -> Iterator[str]:
    for method in methods:
        if len(method.recipes) > 1:
            yield f"{method.trainer} {method.label()} stands for the recipes {', '.join(method.recipes)}."


def _on_failures(runs: Sequence[RunResult]) -> Iterator[str]:
    for run in runs:
        if run.outcome.status == "failed":
            where = f"{run.id.dataset}, {run.id.part}, seed {run.id.seed}"
            yield f"failed: {run.id.trainer} {run.id.recipe}, {where}: {run.outcome.reason}"
