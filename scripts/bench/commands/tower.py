"""Measures a CLIP's image tower: CLIP's own, ours, and ours in bf16, as a share of the fastest fp32 matrix product.

    python scripts/benchmark.py tower [--backbone ViT-B/16] [--batch 8] [--repeats 3] [--threads N] [--json]

The CLIP has random weights. All is measured in one process, by turns. Beside the seconds of a batch: what share of
them is spent in which kind of operation, by PyTorch's profiler, in a run of its own. In fp32 features are those of
CLIP's own tower, which is checked. Exit status: 0; 1 where they are not; 2 for bad input.
"""

import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from bench import machine
from bench.arguments import parser_of, prepared
from bench.made_up import noise
from bench.measure import quiet, show
from bench.operations import counter
from bench.parts import in_bf16, plain_path
from bench.tables import seconds, text
from trainers.blocks.clip.backbone import Backbone

KINDS = {  # by what names of PyTorch's operations have in them, the first that fits
    "attention": ("scaled_dot_product", "softmax", "bmm", "flash", "fmha"),
    "convolutions": ("conv", "cudnn"),
    "products": ("mm", "linear", "matmul"),
    "activation": ("sigmoid", "silu", "gelu", "mul", "div"),
    "norms": ("norm",),
}
REST = "rest"
COLUMNS = ("", "s a\nbatch", "images\na second", "ratio", "of\npeak")
CLOSE = 1e-4  # of unit vectors in fp32


@dataclass
class Way:
    """What a batch costs in one way; `shares` of time by kind of operation."""

    title: str
    seconds: float
    share_of_peak: float
    shares: dict[str, float]


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("tower", __doc__)
    parser.add_argument("--batch", type=int, default=8, help="images at once (8)")
    args = parser.parse_args(argv)
    if args.batch < 1:
        parser.error("--batch is at least 1")
    backbone = prepared(parser, args)
    peak = machine.peak_flops()
    images = noise(args.batch, backbone.resolution, backbone.resolution).to(backbone.device)
    ways = measured(backbone, images, args.repeats, peak)
    about = {"backbone": args.backbone, "batch": args.batch, "machine": machine.described(), "peak_flops": peak}
    print(json.dumps({**about, "ways": [asdict(way) for way in ways]}) if args.json else report(about, ways))


def measured(backbone: Backbone, images: Tensor, repeats: int, peak: float) -> list[Way]:
    """By turns; ends the program where ours has other features than CLIP's own."""
    towers = {"CLIP's own": plain_path(backbone), "ours": backbone, "ours, bf16": in_bf16(backbone)}
    towers = {title: tower for title, tower in towers.items() if tower}
    operations, features, times = {}, {}, {title: [] for title in towers}
    for title, tower in towers.items():  # the first time takes longer
        with counter() as counted:
            features[title] = tower.encode_image(images)
        operations[title] = counted.get_total_flops()
    apart = float((features["ours"] - features["CLIP's own"]).abs().max())
    if not apart <= CLOSE:
        sys.exit(f"error: features of the two ways differ by up to {apart:.2g}")
    for turn in range(repeats):
        show(f"{turn + 1} of {repeats}")
        for title, tower in towers.items():
            start = machine.now()
            tower.encode_image(images)
            times[title].append(machine.now() - start)
    middle = {title: statistics.median(some) for title, some in times.items()}
    return [
        Way(title, middle[title], operations[title] / middle[title] / peak, shares(tower, images))
        for title, tower in towers.items()
    ]


def shares(backbone: Backbone, images: Tensor) -> dict[str, float]:
    """Of the time that operations take, by kind."""
    on_gpu = images.is_cuda
    with quiet(), profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as seen:
        backbone.encode_image(images)
    times: Counter = Counter(dict.fromkeys((*KINDS, REST), 0.0))
    for event in seen.key_averages():
        if not on_gpu:
            times[kind_of(event.key)] += event.self_cpu_time_total
        elif event.device_type == DeviceType.CPU:  # what a GPU's kernels are called says less
            times[kind_of(event.key)] += event.self_device_time_total
    return {kind: time / times.total() for kind, time in times.items()}


def kind_of(operation: str) -> str:
    """Of an operation by its name, such as aten::addmm."""
    name = operation.rpartition("::")[2]
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), REST)


def report(about: dict, ways: Sequence[Way]) -> str:
    first = ways[0].seconds
    lines = [
        [way.title, seconds(way.seconds), seconds(about["batch"] / way.seconds), f"{first / way.seconds:.1f}"]
        + [f"{way.share_of_peak:.0%}", *(f"{share:.1%}" for share in way.shares.values())]
        for way in ways
    ]
    return (
        f"{about['backbone']}, random weights, {about['batch']} images; {machine.summary(about['machine'])}\n"
        f"fastest fp32 matrix product: {about['peak_flops'] / 1e9:.0f} GFLOP/s; shares of time by kind of operation\n"
        f"\n"
        f"{text((*COLUMNS, *ways[0].shares), lines)}"
    )
