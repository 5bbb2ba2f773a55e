"""Compares a text tower with products in bf16 (TRAINER.TEXT_PREC) with fp32: steps of stage 2, features, accuracies.

    python scripts/benchmark.py texts [--backbone ViT-B/16] [--classes 1000] [--repeats 3] [--threads N] [--json]
    python scripts/benchmark.py texts --shapes

A step of SHIP's stage 2 (on CoOp, 256 real and 256 synthesized features) on a text tower of random weights, by
turns: in fp32 by PyTorch's own products with all prompts run again in the backward pass; in fp32 with those run again
for which the memory budget has no room, on a CPU by oneDNN's products; and so in bf16. "of peak": operations a second
as a share of the fastest matrix product of that precision here. Then how far apart features and the losses of these
steps are. --compile also has torch.compile make the part of a block behind its attention, and gives what the first
step and the others take with it, in the processor's time. --shapes also trains CoOp and SHIP on `shapes` in both
precisions, and gives their accuracies.

Exit status: 0; 1 where the machine does not compute in bf16, or a run failed; 2 for bad input.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import torch
from common.arguments import add_data, positive
from protocols.planner import plan
from protocols.runs import RunError, Runner
from run import parse_args as asked_for
from torch import Tensor

from bench import machine
from bench.architectures import random_clip
from bench.arguments import parser_of, prepared
from bench.growth import REAL
from bench.made_up import class_names
from bench.measure import counted, show, timed
from bench.parts import StageTwo
from bench.tables import seconds, share, text
from trainers.blocks.clip import products
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.blocks import Block
from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.clip.precision import encodes_in_bf16

TEMPLATE = "a photo of a {}."
CHUNK = 512  # prompts at once where all are run again
PLAIN = "fp32, PyTorch's products, all run again"
METHODS = ("coop", "ship")  # that --shapes trains
STEPS = ("", "s", "times as\nfast", "of peak", "GB")


@dataclass
class Way:
    """A step in one way: seconds, the share of its precision's peak, memory above the model, and losses by step."""

    title: str
    seconds: float
    share_of_peak: float
    gigabytes: float | None
    losses: list[float]


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("texts", __doc__)
    parser.add_argument("--classes", type=positive, default=1000, help="classes of a step (1000)")
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of --shapes, whose mean is given (1)")
    parser.add_argument("--shapes", action="store_true", help="also train on shapes, some minutes")
    add_data(parser)
    args = parser.parse_args(argv)
    exact = prepared(parser, args, images=False)
    if not encodes_in_bf16("TRAINER.TEXT_PREC", "bf16", exact.device):
        sys.exit(1)
    rounded = random_clip(args.backbone, images=False, device=exact.device)
    rounded.text.cast(torch.bfloat16)
    rounded.text.chunks = exact.text.chunks
    names = class_names(args.classes)
    record = {
        "backbone": f"{args.backbone}'s text tower, random weights",
        "classes": args.classes,
        "machine": machine.described(),
        "ways": measured(args.backbone, exact, rounded, names, args.repeats),
        "cosines": cosines(exact, rounded, names),
    }
    if args.compile:
        record["compiled"] = compiled(rounded, names, args.repeats)
    if args.shapes:
        record["shapes"] = on_shapes(args.data, args.seeds)
    print(
        json.dumps({**record, "ways": list(map(asdict, record["ways"]))}, indent=4) if args.json else report(record)
    )


def measured(name: str, exact: Backbone, rounded: Backbone, names: Sequence[str], repeats: int) -> list[Way]:
    """Steps in each way, by turns; the first, in which operations are counted, is not timed."""
    before = random_clip(name, images=False, device=exact.device)
    before.text.chunks = Chunks(CHUNK)
    ways = {PLAIN: before, "fp32": exact, "bf16": rounded}
    peaks = {
        title: machine.peak_flops(dtype=backbone.text.autocast or torch.float32) for title, backbone in ways.items()
    }
    steps = {title: StageTwo(backbone, names, REAL) for title, backbone in ways.items()}
    costs, times, losses = {}, {title: [] for title in ways}, {title: [] for title in ways}
    for title, step in steps.items():
        show(title)
        with products_of(title):
            costs[title], outcome = counted(step, step.backbone.model)
        losses[title] += outcome.losses
    for turn in range(repeats):
        show(f"{turn + 1} of {repeats}")
        for title, step in steps.items():
            with products_of(title):
                losses[title] += timed(step, times[title]).losses
    for title, cost in costs.items():
        cost.seconds = statistics.median(times[title])
    return [
        Way(title, cost.seconds, share(cost, peaks[title]), cost.gigabytes, losses[title])
        for title, cost in costs.items()
    ]


def products_of(title: str) -> AbstractContextManager:
    return mock.patch.object(products, "THERE", False) if title == PLAIN else nullcontext()


def cosines(exact: Backbone, rounded: Backbone, names: Sequence[str]) -> dict[str, float]:
    """Of the features of class names in both precisions."""
    one, other = (backbone.text_features(names, [TEMPLATE]) for backbone in (exact, rounded))
    return summary((one * other).sum(dim=-1))


def summary(values: Tensor) -> dict[str, float]:
    return {"mean": float(values.mean()), "least": float(values.min())}


def compiled(backbone: Backbone, names: Sequence[str], repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of the processor, its compilers' too, of the first step and of one of those behind it, by turns."""
    ways = {"plain": Block.after_attention, "compiled": torch.compile(Block.after_attention, dynamic=True)}
    steps, times = StageTwo(backbone, names, REAL), {title: [] for title in ways}
    for turn in range(1 + repeats):
        show(f"torch.compile: {turn} of {repeats}")
        for title, after_attention in ways.items():
            with mock.patch.object(Block, "after_attention", after_attention):
                start = sum(os.times()[:4])
                steps()
                times[title].append(sum(os.times()[:4]) - start)
    return {title: {"first": some[0], "others": statistics.median(some[1:])} for title, some in times.items()}


def on_shapes(data: Path, seeds: Sequence[int]) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracies on base and new classes by method and precision. Ends the program where a run fails."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="texts-") as folder:
        for method in METHODS:
            for precision in ("fp32", "bf16"):
                pairs = ("TRAINER.TEXT_PREC", "bf16") if precision == "bf16" else ()
                output = Path(folder, precision)
                asked = (method, "base2new", "shapes", *map(str, seeds))
                words = (*asked, "--data", str(data), "--output", str(output), *pairs)
                show(f"{method} on shapes, {precision}")
                found.setdefault(method, {})[precision] = accuracies(words)
    return found


def accuracies(words: Sequence[str]) -> dict[str, float]:
    """By part of the classes, the mean of the runs that a command of run.sh makes."""
    runs = plan(asked_for(words)[1])
    try:
        with Runner(quiet=True, say=lambda line: None) as runner:
            for run in runs:
                runner.execute(run, "")
    except RunError as error:
        sys.exit(f"error: {error}")
    found: dict[str, list[float]] = {}
    for run in runs:
        found.setdefault(run.classes, []).append(run.record()["metrics"]["accuracy"])
    return {part: statistics.fmean(values) for part, values in found.items()}


def report(record: dict) -> str:
    ways, cosine = record["ways"], record["cosines"]
    slowest = ways[0].seconds
    lines = [
        [way.title, seconds(way.seconds), f"{slowest / way.seconds:.2f}", f"{way.share_of_peak:.0%}", memory(way)]
        for way in ways
    ]
    losses = list(zip(*(way.losses for way in ways[1:]), strict=True))
    parts = [
        f"{record['backbone']}, {record['classes']:,} classes; {machine.summary(record['machine'])}",
        text(STEPS, lines),
        f"cosine similarity of bf16 and fp32 features: mean {cosine['mean']:.6f}, least {cosine['least']:.6f}",
        "loss by step, fp32 and bf16: " + "; ".join(f"{one:.4f} {other:.4f}" for one, other in losses),
    ]
    if "compiled" in record:
        parts.append(compiled_line(**record["compiled"]))
    if "shapes" in record:
        parts.append(shapes_table(record["shapes"]))
    return "\n\n".join(parts)


def compiled_line(plain: dict[str, float], compiled: dict[str, float]) -> str:
    with_it, without = (f"{seconds(some['first'])} s, then {seconds(some['others'])} s" for some in (compiled, plain))
    return f"torch.compile, processor time: the first step {with_it} each; without it {without} each"


def memory(way: Way) -> str:
    return "–" if way.gigabytes is None else f"{way.gigabytes:.2f}"


def shapes_table(found: dict[str, dict[str, dict[str, float]]]) -> str:
    headers = (
        "accuracy on shapes",
        *(f"{part}\n{precision}" for part in ("base", "new") for precision in ("fp32", "bf16")),
    )
    lines = [
        [method, *(f"{by[precision][part]:.1f}" for part in ("base", "new") for precision in ("fp32", "bf16"))]
        for method, by in found.items()
    ]
    return text(headers, lines)
