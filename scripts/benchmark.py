"""Measures SHIP on CoOp against the plain path, in one process, on a CLIP of random weights.

    python scripts/benchmark.py [--backbone ViT-B/16] [--repeats 3] [--json]

The plain path: CLIP's own modules over 77 tokens for every prompt, and images encoded again in every epoch. Each part
is run in both ways by turns; that both come to the same values is checked before anything is printed. Memory is the
peak above what was in use before. "of peak": operations a second as a share of the fastest fp32 matrix product here.

The second table is not measured but computed from the first: a run on OxfordPets. The reference procedure is the
plain path with stage 2 trained and evaluated five times. Exit status: 0; 1 where the two ways disagree; 2 for bad
input.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

import compat  # noqa: E402

compat.ensure()

from bench import full_size, machine, tables, whole_run  # noqa: E402
from bench.architectures import SIZES, random_clip  # noqa: E402
from bench.made_up import class_names  # noqa: E402
from bench.measure import Disagreement, Row, alone, compare  # noqa: E402
from bench.parts import Evaluation, Images, StageOne, StageTwo, plain_path  # noqa: E402

from trainers.blocks.backbone import Backbone  # noqa: E402
from trainers.blocks.chunks import Chunks  # noqa: E402
from trainers.blocks.errors import InputError  # noqa: E402
from trainers.blocks.feature_cache import FeatureCache  # noqa: E402

CLASSES = 37  # OxfordPets' number
BATCH = full_size.BATCH
SEEDS = 3
LEGEND = {
    "training images": "read, augmented and encoded; the same code in both ways",
    "stage-1 step": f"PromptVAE, {BATCH} prompts of {full_size.BASE} classes",
    "stage-2 step": f"CoOp among {CLASSES} classes, {BATCH} real and {BATCH} synthesized features",
    "evaluation": f"of CoOp among {CLASSES} classes; ours has the images' features kept",
    "small whole run": whole_run.WORDS,
}


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        backbone = random_clip(args.backbone, device=machine.device())
        backbone.text.chunks = Chunks.on(backbone.device)
        peak = machine.peak_flops()
        rows = measure(backbone, args.repeats)
    except InputError as error:
        fail(error, status=2)
    except Disagreement as error:
        fail(error, status=1)
    about = {"backbone": f"{args.backbone}, random weights", "repeats": args.repeats, "machine": machine.described()}
    print(as_json(about, rows, peak) if args.json else report(about, rows, peak))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="benchmark.py"
    )
    parser.add_argument("--backbone", default="ViT-B/16", help=f"sizes: {', '.join(SIZES)}; (ViT-B/16)")
    parser.add_argument("--repeats", type=int, default=3, help="times of each way, whose median is given (3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error("--repeats is at least 1")
    return args


def fail(message: object, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def measure(backbone: Backbone, repeats: int) -> dict[str, Row]:
    """The parts in both ways."""
    names, plain = class_names(CLASSES), plain_path(backbone)
    compared = partial(compare, model=backbone.model, repeats=repeats)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        whole_run.pictures(root)
        data = whole_run.data(root, backbone.resolution)
        images = Images(backbone, data.train_loader_x)
        one = [StageOne(way, names[: full_size.BASE], BATCH) for way in (plain, backbone)]
        two = [StageTwo(way, names, BATCH) for way in (plain, backbone)]
        kept = [FeatureCache(place, "pictures", {}) for place in (None, root / "cache")]
        tests = [
            Evaluation(way, names, data.test_loader, cache)
            for way, cache in zip((plain, backbone), kept, strict=True)
        ]
        runs = [whole_run.WholeRun(way, root, plain=way is plain) for way in (plain, backbone)]
        return {
            "images": alone(f"{len(data.dataset.train_x)} training images", images, backbone.model, repeats),
            "stage 1": compared("stage-1 step", *one),
            "stage 2": compared("stage-2 step", *two),
            "evaluation": compared(f"evaluation, {len(data.dataset.test)} images", *tests),
            "run": compared("small whole run", *runs, once=True),
        }


def report(about: dict, rows: dict[str, Row], peak: float) -> str:
    """Both tables, with what they show."""
    one, several = (full_size.parts(rows, seeds) for seeds in (1, SEEDS))
    hours = full_size.hours(several)
    return "\n".join(
        [
            f"{about['backbone']}; {machine.in_words(about['machine'])}",
            f"fastest fp32 matrix product: {peak / 1e9:.0f} GFLOP/s; medians of {about['repeats']}",
            "",
            tables.measured(list(rows.values()), peak),
            "",
            *(f"{title}: {text}" for title, text in LEGEND.items()),
            "",
            f"A base2new run on OxfordPets, computed from the steps above: {full_size.WORDS}",
            "",
            tables.computed(one),
            "",
            f"The same with seeds 1 2 3, whose test images ours encodes once: hours {hours['plain']:.1f} plain, "
            f"{hours['ours']:.2f} ours ({hours['plain'] / hours['ours']:.1f} times), "
            f"{hours['reference']:.1f} reference ({hours['reference'] / hours['ours']:.1f} times).",
        ]
    )


def as_json(about: dict, rows: dict[str, Row], peak: float) -> str:
    computed = {f"{seeds} seeds": full_size.as_json(full_size.parts(rows, seeds)) for seeds in (1, SEEDS)}
    measured = {name: tables.as_json(row, peak) for name, row in rows.items()}
    return json.dumps({**about, "peak_flops": peak, "measured": measured, "computed": computed}, indent=4)


if __name__ == "__main__":
    main()
