"""Measures SHIP on CoOp against the plain path, in one process, on a CLIP of random weights.

    python scripts/benchmark.py [parts] [--backbone ViT-B/16] [--repeats 3] [--threads N] [--json]

The plain path: CLIP's own modules over 77 tokens for every prompt, and images encoded again in every epoch. Each part
is run in both ways by turns; that both come to the same values is checked before anything is printed. Memory is the
peak above what was in use before. "of peak": operations a second as a share of the fastest fp32 matrix product here.
Steps are of the sizes that SHIP's recipe comes to on OxfordPets; the plain path's of 256 prompts takes some 10 GB.

The second table is not measured but computed from the first: a run on OxfordPets. The reference procedure is the
plain path as the authors' code takes it: "whole" measures a smaller run of it. Exit status: 0; 1 where the two ways
disagree; 2 for bad input.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from textwrap import wrap

from dassl.data import DataManager

from bench import full_size, machine, tables, whole_run
from bench.arguments import parser_of, prepared
from bench.made_up import class_names
from bench.measure import Disagreement, Row, compare
from bench.parts import Evaluation, Images, StageOne, StageTwo, in_bf16, plain_path
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.features.cache import FeatureCache

PETS = full_size.PETS
LEGEND = {
    "training images": "read, augmented and encoded; bf16: TRAINER.FEATURES.IMAGE_PREC",
    "stage-1 step": f"PromptVAE, so many prompts of {PETS.base} classes",
    "stage-2 step": f"CoOp among {PETS.classes} classes, so many real and synthesized features",
    "evaluation": f"of CoOp among {PETS.classes} classes; ours has the images' features kept",
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
    print(json.dumps(record(about, rows, peak), indent=4) if args.json else report(about, rows, peak))


def measure(backbone: Backbone, repeats: int) -> dict[str, Row]:
    """The parts in both ways."""
    names, ways = class_names(PETS.classes), (plain_path(backbone), backbone)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        whole_run.pictures(root, whole_run.QUICK)
        data = whole_run.data(root, backbone.resolution, whole_run.QUICK)
        caches = [FeatureCache(place, "pictures", {}) for place in (None, root / "cache")]
        tests = [Evaluation(way, names, data.test_loader, cache) for way, cache in zip(ways, caches, strict=True)]
        title = f"evaluation, {len(data.dataset.test)} images"
        return {
            **measured_images(ways, data, repeats),
            **measured_steps(ways, PETS, repeats),
            "evaluation": compare(title, *tests, backbone.model, repeats),
        }


def measured_steps(ways: Sequence[Backbone], size: full_size.Size, repeats: int) -> dict[str, Row]:
    """The steps of an epoch of either stage."""
    plain, ours = ways
    names, rows = class_names(size.classes), {}
    compared = partial(compare, model=ours.model, repeats=repeats)
    for count in size.steps:
        one = (StageOne(way, names[: size.base], count) for way in ways)
        rows[full_size.step(1, count)] = compared(f"stage-1 step, {count}", *one)
    for count in size.steps:
        two = (StageTwo(way, names, count) for way in ways)
        rows[full_size.step(2, count)] = compared(f"stage-2 step, {count} + {count}", *two)
    return rows


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
            f"\nNot measured, but computed from the steps above: OxfordPets, {PETS}",
            *wrap(full_size.PROCEDURES, width=110),
            f"\n{tables.steps(full_size.parts(rows))}",
            f"\n{tables.totals(full_size.totals(rows))}",
        ]
    )


def record(about: dict, rows: dict[str, Row], peak: float) -> dict:
    """The same as JSON."""
    measured = {name: tables.as_json(row, peak) for name, row in rows.items()}
    computed = {"steps": [asdict(part) for part in full_size.parts(rows)], "hours": full_size.totals(rows)}
    return {**about, "peak_flops": peak, "measured": measured, "computed": computed}
