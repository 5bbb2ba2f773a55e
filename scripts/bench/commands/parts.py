"""Measures SHIP on CoOp against the plain path, in one process, on a CLIP of random weights.

    python scripts/benchmark.py [parts] [--backbone ViT-B/16] [--repeats 3] [--threads N] [--json]

The plain path: CLIP's own modules over 77 tokens for every prompt, and images encoded again in every epoch. Each part
is run in both ways by turns; that both come to the same values is checked before anything is printed. Memory is the
peak above what was in use before. "of peak": operations a second as a share of the fastest fp32 matrix product here.

The second table is not measured but computed from the first: a run on OxfordPets. The reference procedure is the
plain path with stage 2 trained and evaluated five times. Exit status: 0; 1 where the two ways disagree; 2 for bad
input.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from dassl.data import DataManager

from bench import full_size, machine, tables, whole_run
from bench.arguments import parser_of, prepared
from bench.made_up import class_names
from bench.measure import Disagreement, Row, compare
from bench.parts import Evaluation, Images, StageOne, StageTwo, in_bf16, plain_path
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.features.cache import FeatureCache

CLASSES = 37  # OxfordPets' number
BATCH = full_size.BATCH
LEGEND = {
    "training images": "read, augmented and encoded; bf16: TRAINER.FEATURES.IMAGE_PREC",
    "stage-1 step": f"PromptVAE, {BATCH} prompts of {full_size.BASE} classes",
    "stage-2 step": f"CoOp among {CLASSES} classes, {BATCH} real and {BATCH} synthesized features",
    "evaluation": f"of CoOp among {CLASSES} classes; ours has the images' features kept",
    "small whole run": whole_run.DESCRIPTION,
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("parts", __doc__)
    args = parser.parse_args(argv)
    backbone = prepared(parser, args)
    peak = machine.peak_flops()
    try:
        rows = measure(backbone, args.repeats)
    except Disagreement as error:
        sys.exit(f"error: {error}")
    about = {"backbone": f"{args.backbone}, random weights", "repeats": args.repeats, "machine": machine.described()}
    print(as_json(about, rows, peak) if args.json else report(about, rows, peak))


def measure(backbone: Backbone, repeats: int) -> dict[str, Row]:
    """The parts in both ways."""
    names, ways = class_names(CLASSES), (plain_path(backbone), backbone)
    compared = partial(compare, model=backbone.model, repeats=repeats)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        whole_run.pictures(root)
        data = whole_run.data(root, backbone.resolution)
        caches = [FeatureCache(place, "pictures", {}) for place in (None, root / "cache")]
        tests = [Evaluation(way, names, data.test_loader, cache) for way, cache in zip(ways, caches, strict=True)]
        runs = [whole_run.WholeRun(way, root, plain=way is not backbone) for way in ways]
        return {
            **measured_images(ways, data, repeats),
            "stage 1": compared("stage-1 step", *(StageOne(way, names[: full_size.BASE], BATCH) for way in ways)),
            "stage 2": compared("stage-2 step", *(StageTwo(way, names, BATCH) for way in ways)),
            "evaluation": compared(f"evaluation, {len(data.dataset.test)} images", *tests),
            "run": compared("small whole run", *runs, once=True),
        }


def measured_images(ways: Sequence[Backbone], data: DataManager, repeats: int) -> dict[str, Row]:
    """Where the machine can, once more with ours in bf16."""
    title, (plain, ours) = f"{len(data.dataset.train_x)} training images", ways
    others = {"images": (title, ours), "bf16": (f"{title}, bf16", in_bf16(ours))}
    return {
        name: compare(title, *(Images(way, data.train_loader_x) for way in (plain, other)), ours.model, repeats)
        for name, (title, other) in others.items()
        if other
    }


def report(about: dict, rows: dict[str, Row], peak: float) -> str:
    """What was measured, and what is computed from it."""
    return "\n".join(
        [
            f"{about['backbone']}; {machine.summary(about['machine'])}",
            f"fastest fp32 matrix product: {peak / 1e9:.0f} GFLOP/s; medians of {about['repeats']}",
            f"\n{tables.measured(list(rows.values()), peak)}\n",
            *(f"{title}: {text}" for title, text in LEGEND.items()),
            f"\nNot measured, but computed from the steps above: {full_size.DESCRIPTION}",
            f"\n{tables.steps(full_size.parts(rows))}",
            f"\n{tables.totals(full_size.totals(rows))}",
        ]
    )


def as_json(about: dict, rows: dict[str, Row], peak: float) -> str:
    measured = {name: tables.as_json(row, peak) for name, row in rows.items()}
    computed = {"steps": [asdict(part) for part in full_size.parts(rows)], "hours": full_size.totals(rows)}
    return json.dumps({**about, "peak_flops": peak, "measured": measured, "computed": computed}, indent=4)
