"""Estimates what the paper's runs take on a GPU, from their numbers of operations: nothing is run or measured.

    python scripts/benchmark.py estimate
    python scripts/benchmark.py estimate --tflops 40 --step 0.05 --into docs/reproduction.md

SHIP on CoOp with ViT-B/16, base-to-new, one seed, by the published recipes: how many images and prompts are encoded,
in how many steps, and from these the hours, where the GPU does so many TFLOP/s and every step costs so many seconds
beside. With VIEWS 10, each training image is encoded ten times in all instead of once an epoch.
Reading and augmenting images is not counted.
"""

import argparse
import math
from collections.abc import Sequence
from typing import NamedTuple

from common.arguments import command_parser
from report.pages import add_into, publish
from tabulate import tabulate

SHOTS, BATCH, VIEWS = 16, 256, 10
IMAGE = 35.1e9  # operations of a forward pass of ViT-B/16's image tower: 2 × 17.6e9 products
TOKEN = 2 * 37.8e6  # of a token through the text tower's blocks, forward; backward to the prompt takes as many again
TOKENS = 10  # of a prompt, on average: context, class name, full stop, EOT


class Benchmark(NamedTuple):
    """A dataset of the paper's base-to-new table: classes, test images, epochs of the two stages."""

    classes: int
    tests: int
    epochs: tuple[int, int] = (50, 200)


DATASETS = {
    "imagenet": Benchmark(1000, 50_000, (10, 20)),
    "caltech101": Benchmark(100, 2_465),
    "oxford_pets": Benchmark(37, 3_669),
    "stanford_cars": Benchmark(196, 8_041),
    "oxford_flowers": Benchmark(102, 2_463),
    "food101": Benchmark(101, 30_300),
    "fgvc_aircraft": Benchmark(100, 3_333),
    "sun397": Benchmark(397, 19_850),
    "dtd": Benchmark(47, 1_692),
    "eurosat": Benchmark(10, 8_100),
    "ucf101": Benchmark(101, 3_783),
}


class Work(NamedTuple):
    """What a run encodes: images in training and testing, prompts with and without a backward pass; and its steps."""

    training_images: int
    test_images: int
    trained_prompts: int
    prompts: int
    steps: int

    def hours(self, tflops: float, step: float) -> float:
        images = self.training_images + self.test_images
        operations = IMAGE * images + TOKEN * TOKENS * (2 * self.trained_prompts + self.prompts)
        return (operations / (tflops * 1e12) + step * self.steps) / 3600


def work_of(dataset: Benchmark, views: int = 0) -> Work:
    """Of one seed; `views`: TRAINER.FEATURES.VIEWS."""
    images = SHOTS * math.ceil(dataset.classes / 2)
    first, second = dataset.epochs
    passes = views or first + second
    batches = math.ceil(images / BATCH)
    written = first * images  # stage 1 writes a prompt for each image, and learns from it
    classified, synthesized = second * batches * dataset.classes, second * images
    return Work(images * passes, dataset.tests, written + classified, synthesized, (first + second) * batches)


def table(tflops: float, step: float) -> str:
    rows = []
    for name, dataset in DATASETS.items():
        published, banked = work_of(dataset), work_of(dataset, VIEWS)
        counts = (published.training_images, banked.training_images, published.test_images)
        prompts = published.trained_prompts + published.prompts
        hours = (work.hours(tflops, step) for work in (published, banked))
        rows.append([name, *(f"{n:,}" for n in (*counts, prompts, published.steps)), *(f"{h:.2f}" for h in hours)])
    totals = [sum(float(row[column]) for row in rows) for column in (6, 7)]
    rows.append(["all", *[""] * 5, *(f"{total:.2f}" for total in totals)])
    heads = "dataset|training\nimages|with\n10 views|test\nimages|prompts|steps|hours|with\n10 views".split("|")
    assumed = f"Computed, not measured: {tflops:g} TFLOP/s, {step:g} s a step beside that; one seed."
    return f"{tabulate(rows, heads, disable_numparse=True, colalign=('left', *['right'] * 7))}\n{assumed}"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py estimate", __doc__)
    parser.add_argument(
        "--tflops", type=float, default=10.0, help="10^12 operations a second that are sustained (10)"
    )
    parser.add_argument("--step", type=float, default=0.1, help="seconds of a step for everything else (0.1)")
    add_into(parser)
    args = parser.parse_args(argv)
    if not (math.isfinite(args.tflops) and args.tflops > 0 and math.isfinite(args.step) and args.step >= 0):
        parser.error("--tflops is above 0 and --step at least 0")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    publish(table(args.tflops, args.step), args.into, args.section or "estimate")
