"""Measures a whole run as the authors' code does it and as ours does, in one process, on a CLIP of random weights.

    python scripts/benchmark.py whole [--backbone ViT-B/16] [--quick] [--threads N] [--json]

SHIP on CoOp, base-to-new, of OxfordPets' 37 classes, cut in images, epochs and views: training on base classes, the
tests on both halves. The reference procedure is the plain path (CLIP's own modules over 77 tokens for every prompt,
training images encoded anew in every epoch) with stage 2 trained and tested five times. Ours runs before it and
after it. Losses of all steps that both take and predictions have to agree.

Before it come the parts that "parts" measures and the steps of that run; what it and a full-size run take is
computed from them, and stands beside what was measured. All takes some 15 minutes on two cores that are free, and
10 GB of memory; with --quick, which takes 4 classes, some 4. Exit status: 0; 1 where the two ways disagree; 2 for
bad input.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import full_size, machine, tables, whole_run
from bench.arguments import parser_of, prepared
from bench.commands import parts
from bench.full_size import Size
from bench.measure import Disagreement, Row, apart, check_same
from bench.parts import plain_path
from bench.whole_run import REST, Run, WholeRun
from trainers.blocks.clip.backbone import Backbone
from trainers.ship import STAGE_ONE

PARTS = {
    "features": "images encoded beforehand",
    STAGE_ONE: "stage 1",
    "SHIP": "stage 2",
    "test": "tests",
    REST: REST,
}
COLUMNS = ("", "s\nplain", "s\nours", "s\nreference", "plain\n/ ours", "reference\n/ ours")


@dataclass
class Found:
    """Seconds of a run by part and procedure; images that are encoded; steps, and how far their losses differ."""

    parts: dict[str, dict[str, float]]
    images: dict[str, int]
    steps: int
    apart: float


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("whole", __doc__)
    parser.add_argument("--quick", action="store_true", help="4 classes and 2 epochs of stage 2")
    parser.set_defaults(repeats=1)  # of the parts
    args = parser.parse_args(argv)
    backbone = prepared(parser, args)
    size = whole_run.QUICK if args.quick else whole_run.CUT
    peak = machine.peak_flops()
    try:
        found, rows = measure(backbone, size, args.repeats)
    except Disagreement as error:
        sys.exit(f"error: {error}")
    about = {"backbone": f"{args.backbone}, random weights", "repeats": args.repeats, "machine": machine.described()}
    if args.json:
        whole = {"whole": asdict(found), "whole_hours": hours(found, rows, size)}
        print(json.dumps(parts.record(about, rows, peak) | whole, indent=4))
    else:
        print(f"{parts.report(about, rows, peak)}\n\n{report(found, rows, size)}")


def measure(backbone: Backbone, size: Size, repeats: int) -> tuple[Found, dict[str, Row]]:
    """The run in both ways, and the steps and images of it and of a full-size run."""
    ways = (plain_path(backbone), backbone)
    rows = parts.measure(backbone, repeats) | parts.measured_steps(ways, size, repeats)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        whole_run.pictures(root, size)
        reference, ours = (WholeRun(way, root, size, reference=way is not backbone) for way in ways)
        first, other, second = ours(), reference(), ours()
    for run in (first, second):
        check_same("whole run", other.outcome, run.outcome)
    return compared(other, (first, second)), rows


def compared(reference: Run, ours: Sequence[Run]) -> Found:
    """Seconds in both ways, ours as a mean of its runs; the plain ones are the reference's of what ours does too."""
    found = {}
    for part, title in PARTS.items():
        plain, mine = reference.taken[part], statistics.mean(run.taken[part] for run in ours)
        found[title] = full_size.numbers(plain, mine, plain + reference.extra[part])
    found["all"] = {name: sum(part[name] for part in found.values()) for name in found[REST]}
    images = {"reference": reference.images, "ours": ours[0].images}
    worst = max(apart(reference.outcome, run.outcome) for run in ours)
    return Found(found, images, len(reference.outcome.losses), worst)


def hours(found: Found, rows: dict[str, Row], size: Size) -> dict[str, dict[str, float]]:
    """Of the run as measured and as computed, and of the full-size one."""
    return {
        "measured": {name: seconds / 3600 for name, seconds in found.parts["all"].items()},
        "computed": full_size.hours(full_size.parts(rows, size=size)),
        "computed, OxfordPets in full": full_size.hours(full_size.parts(rows)),
    }


def report(found: Found, rows: dict[str, Row], size: Size) -> str:
    """What the run took, and beside it what was computed."""
    images = ", ".join(f"{name} {count:,}" for name, count in found.images.items())
    return "\n".join(
        [
            f"Measured: a whole run, base2new, {size}",
            f"\n{tables.text(COLUMNS, [tables.beside_ours(*part) for part in found.parts.items()])}\n",
            f"The losses of {found.steps} steps differ by at most {found.apart:.1e}, and predictions agree.",
            f"images encoded: {images}",
            f"\n{tables.totals(hours(found, rows, size))}",
        ]
    )
