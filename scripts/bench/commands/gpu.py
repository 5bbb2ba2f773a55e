"""Measures steps and images with CLIPs of random weights on this GPU, in several precisions, against the plain path.

    python scripts/benchmark.py gpu [--backbones ViT-B/16 ViT-L/14] [--classes 37 1000] [--quick] [--json]

The plain path is CLIP's own modules in fp32, over 77 tokens for every prompt. All is measured in one process, by
turns; that losses in fp32 are those of the plain path is checked. "of peak": operations a second as a share of the
fastest product of large matrices in the same precision, measured in the same process; GB: above the model. At the
end, unless --quick is given, `benchmark.py compiled` runs for --compiled seconds at most, whatever comes of it. With
--json each row is a line, printed when it is measured. Where there is no GPU the CPU is measured.

Exit status: 0; 1 where the ways disagree; 2 for bad input.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch
from common.arguments import CHECKOUT, command_parser
from common.errors import fail

from bench import machine
from bench.architectures import SIZES, random_clip
from bench.made_up import class_names, noise
from bench.measure import Action, Cost, Disagreement, Outcome, check_same, counted, show, timed
from bench.parts import DTYPES, StageOne, StageTwo, in_half, plain_path
from bench.tables import seconds, share, text
from trainers.blocks.clip import graphs
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.clip.openai import parts_of
from trainers.blocks.clip.precision import Precision
from trainers.blocks.errors import did_you_mean
from trainers.blocks.run.memory import is_out_of_memory

PROMPTS, FEATURES = 256, 256  # of a step of stage 1, and real ones of a step of stage 2, as SHIP's recipe has them
LARGE = {"cuda": 8192, "cpu": 1024}  # rows and columns of the product that the peak is measured by
FEW = 8  # different ones among images
COLUMNS = ("", "way", "s", "a second", "of peak", "GB", "ratio")
OUT = "out of memory"
GRAPHS = "graphs"  # ends the name of a way with TRAINER.TEXT_GRAPHS


@dataclass
class Row:
    """What something takes in one way; `ratio` to the plain path, where that was measured before."""

    backbone: str
    title: str
    way: str
    each: str  # what is counted a second
    seconds: float | None = None
    a_second: float | None = None
    share_of_peak: float | None = None
    gigabytes: float | None = None
    ratio: float | None = None
    note: str = ""


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    Precision("fp32", machine.device())  # without TF32
    peaks = {name: peak(dtype) for name, dtype in DTYPES.items()}
    about = {"machine": machine.described(), "peak_flops": peaks}
    if args.json:
        print(json.dumps(about), flush=True)
    rows = []
    try:
        for row in chain(measured(args, peaks), compiled(args)):
            rows.append(row)
            if args.json:
                print(json.dumps(asdict(row)), flush=True)
    except Disagreement as error:
        sys.exit(f"error: {error}")
    if not args.json:
        print(report(about, rows))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py gpu", __doc__)
    add = parser.add_argument
    add("--backbones", nargs="+", default=["ViT-B/16", "ViT-L/14"], help="sizes (ViT-B/16 ViT-L/14)")
    add("--classes", type=int, nargs="+", default=[37, 1000], help="of stage 2 (37 1000)")
    add("--images", type=int, default=256, help="images that are encoded at once (256)")
    add("--repeats", type=int, default=5, help="times whose median is given (5)")
    add("--compiled", type=int, default=45, metavar="S", help="seconds of `compiled` at the end (45)")
    add("--quick", action="store_true", help="the first backbone alone, 2 repeats, --compiled 0")
    add("--json", action="store_true", help="print a line of JSON for each row")
    args = parser.parse_args(argv)
    if min(*args.classes, args.images, args.repeats) < 1 or min(args.classes) < 2:
        parser.error("--images and --repeats are at least 1, --classes at least 2")
    for name in args.backbones:
        if name not in SIZES:
            fail(f"There is no backbone {name!r}; available: {', '.join(SIZES)}.{did_you_mean(name, SIZES)}")
    if args.quick:
        args.backbones, args.repeats, args.compiled = args.backbones[:1], 2, 0
    return args


def peak(dtype: torch.dtype) -> float:
    """The most operations a second that a product of large matrices comes to."""
    size = LARGE[machine.device().type]
    return machine.peak_flops(((size, size, size),), dtype)


def measured(args: argparse.Namespace, peaks: dict[str, float]) -> Iterator[Row]:
    for name in args.backbones:
        exact = random_clip(name, device=machine.device())
        ways = {"plain": plain_path(exact), "fp32": exact}
        ways |= {half: in_half(exact, dtype) for half, dtype in DTYPES.items() if half != "fp32"}
        if exact.device.type == "cuda":
            ways |= {f"{way}, {GRAPHS}": with_graphs(ways[way]) for way in ("fp32", "fp16")}
        for backbone in ways.values():
            backbone.text.chunks = Chunks.on(backbone.device)
        for part in parts(args):
            yield from compared(name, part, ways, peaks, args.repeats)


def with_graphs(backbone: Backbone) -> Backbone:
    """The same CLIP with passes through its text tower as CUDA graphs, by TRAINER.TEXT_GRAPHS."""
    other = Backbone(parts_of(backbone.model), backbone.identity)
    other.text.use_graphs()
    return other


class Part(NamedTuple):
    """What is measured: `count` of what is counted a second, and of a backbone the action."""

    title: str
    counted: str
    count: int
    made: Callable[[Backbone], Action]


def parts(args: argparse.Namespace) -> list[Part]:
    steps = {"counted": "steps", "count": 1}
    return [
        Part(f"{args.images} images", "images", args.images, partial(Images, count=args.images)),
        Part(f"stage 1, {PROMPTS} prompts", **steps, made=lambda some: StageOne(some, class_names(19), PROMPTS)),
        *(
            Part(f"stage 2, {classes:,} classes", **steps, made=partial(stage_two, classes=classes))
            for classes in args.classes
        ),
    ]


def stage_two(backbone: Backbone, classes: int) -> StageTwo:
    return StageTwo(backbone, class_names(classes), FEATURES)


class Images:
    """Images that are on the device already, encoded."""

    def __init__(self, backbone: Backbone, count: int) -> None:
        size = backbone.resolution
        some = noise(min(count, FEW), size, size).to(backbone.device)
        self.backbone, self.images = backbone, some.repeat(-(-count // FEW), 1, 1, 1)[:count]

    def __call__(self) -> Outcome:
        self.backbone.encode_image(self.images)
        return Outcome()


def compared(
    name: str, part: Part, ways: dict[str, Backbone], peaks: dict[str, float], repeats: int
) -> Iterator[Row]:
    """A row for each way; where memory is out in one, that is said, and the others go on."""
    plain: tuple[Cost, Outcome] | None = None
    for way, backbone in ways.items():
        if way.endswith(GRAPHS) and part.counted == "images":
            continue
        show(f"{name}, {part.title}: {way}")
        row = Row(name, part.title, way, part.counted)
        found = cost_of(part.made, backbone, repeats)
        if way == "plain":
            plain = found
        if found is None:
            row.note = OUT
        else:
            cost, outcome = found
            row.seconds, row.a_second, row.gigabytes = cost.seconds, part.count / cost.seconds, cost.gigabytes
            row.share_of_peak = share(cost, peaks["fp32" if way == "plain" else way.split(",")[0]])
            row.ratio = plain[0].seconds / cost.seconds if plain else None
            if plain and way == "fp32":
                check_same(f"{name}, {part.title}", plain[1], outcome)
        yield row


def cost_of(made: Callable[[Backbone], Action], backbone: Backbone, repeats: int) -> tuple[Cost, Outcome] | None:
    """Counted once, and the median of the times that follow; with the first outcome. None where memory is out."""
    times: list[float] = []
    try:
        action = made(backbone)
        cost, outcome = counted(action, backbone.model)
        for _ in range(graphs.BEFORE if backbone.text.graphs else 0):  # until they are captured
            action()
        for _ in range(repeats):
            timed(action, times)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):  # which a GPU's libraries say in words of their own
            raise
        return None
    finally:
        if backbone.device.type == "cuda":
            torch.cuda.empty_cache()
    cost.seconds = statistics.median(times)
    return cost, outcome


def compiled(args: argparse.Namespace) -> Iterator[Row]:
    """Of `benchmark.py compiled`, in a process that may fail or take too long; its last row says so."""
    if not args.compiled:
        return
    name, words = args.backbones[0], ("--backbone", args.backbones[0], "--classes", *args.classes)
    command = [sys.executable, CHECKOUT / "scripts/benchmark.py", "compiled", "--json", *words]
    with tempfile.TemporaryDirectory() as cache:  # so that start-up is that of a first time
        folders = {"TORCHINDUCTOR_CACHE_DIR": cache, "TRITON_CACHE_DIR": cache}
        try:
            done = subprocess.run(
                [str(word) for word in command],
                stdout=subprocess.PIPE,
                timeout=args.compiled,
                env={**os.environ, **folders},
            )
            said, ended = done.stdout, f"it ended with status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired as late:
            said, ended = late.stdout or b"", f"not done in {args.compiled} s"
    for line in said.decode().splitlines():
        found = json.loads(line)
        begins = found["start"] is not None and found["way"] != "plain"
        way = f"{found['way']}, after {seconds(found['start'])} s" if begins else found["way"]
        numbers = {name: found[name] for name in ("seconds", "ratio", "note")}
        per_second = 1 / found["seconds"] if found["seconds"] else None
        yield Row(f"{name}, one shape", found["title"], way, "steps", a_second=per_second, **numbers)
    if ended:
        yield Row(f"{name}, one shape", "the others", "", "steps", note=ended)


def report(about: dict, rows: Sequence[Row]) -> str:
    peaks = ", ".join(f"{name} {flops / 1e12:.1f}" for name, flops in about["peak_flops"].items())
    lines = [f"{machine.summary(about['machine'])}", f"TFLOP/s of a product of large matrices: {peaks}"]
    for backbone in dict.fromkeys(row.backbone for row in rows):
        some = [cells(row) for row in rows if row.backbone == backbone]
        lines += [f"\n{backbone}, random weights\n\n{text(COLUMNS, some)}"]
    return "\n".join(lines)


def cells(row: Row) -> list[str]:
    if row.note:
        return [row.title, row.way, row.note, *[""] * 4]
    return [
        row.title,
        row.way,
        seconds(row.seconds),
        f"{seconds(row.a_second)} {row.each}",
        "–" if row.share_of_peak is None else f"{row.share_of_peak:.0%}",
        "–" if row.gigabytes is None else f"{row.gigabytes:.2f}",
        "–" if row.ratio is None else f"{row.ratio:.1f}",
    ]
