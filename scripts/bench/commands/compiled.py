"""Measures a step of one shape as it is, as a CUDA graph and by torch.compile, on a text tower of random weights.

    python scripts/benchmark.py compiled [--backbone ViT-B/16] [--classes 37 1000] [--precision fp16] [--json]

The step is CoOp's on 512 features, forward and backward. TEXT_GRAPHS is what that key does: the text tower's passes
as CUDA graphs. Another is of the whole step; torch.compile is of the text tower, and then with a graph of the step.
Start-up is the time until the first step was done. That loss and gradient are those of the plain step is checked. A
way that fails says why, and does not end the others. With --json each row is a line, printed when it is measured.
Exit status: 0; 2 for bad input.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from unittest import mock

import torch
from common.arguments import command_parser, positive
from torch import Tensor

from bench import machine
from bench.architectures import SIZES, random_clip
from bench.made_up import class_names
from bench.measure import quiet, show
from bench.parts import DTYPES, in_half, random_features
from bench.tables import seconds, text
from trainers.blocks.clip import graphs
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.clip.precision import Precision
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.methods.coop import CoOp

FEATURES = 512  # of a step, as SHIP's recipe has them with the synthesized ones
BEFORE = 3  # steps before a capture
APART = {"fp32": 1e-3, "fp16": 5e-2, "bf16": 0.2}  # the largest relative distance of losses and of gradients
NOTE = 100  # characters of what is said of a failure, at most
COLUMNS = ("", "way", "s", "ratio", "start-up\ns", "")
Take = Callable[[], Tensor]  # takes a step: its loss


@dataclass
class Row:
    """What a step takes in one way; `ratio` to the plain way; `start`, seconds until the first step was done."""

    title: str
    way: str
    seconds: float | None = None
    ratio: float | None = None
    start: float | None = None
    note: str = ""


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    rows = []
    for row in measured(args):
        rows.append(row)
        if args.json:
            print(json.dumps(asdict(row)), flush=True)
    if not args.json:
        about = f"{args.backbone}, random weights in {args.precision}"
        print(f"{about}; {machine.summary(machine.described())}\n\n{text(COLUMNS, [*map(cells, rows)])}")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py compiled", __doc__)
    add = parser.add_argument
    add("--backbone", choices=SIZES, default="ViT-B/16", metavar="NAME", help="size (ViT-B/16)")
    add("--classes", type=positive, nargs="+", default=[37, 1000], help="numbers of classes (37 1000)")
    add("--precision", choices=DTYPES, default="fp16", help=f"of the weights: {', '.join(DTYPES)} (fp16)")
    add("--backend", default="inductor", help="torch.compile's (inductor)")
    add("--repeats", type=positive, default=10, help="times whose median is given (10)")
    add("--json", action="store_true", help="print a line of JSON for each row")
    return parser.parse_args(argv)


def measured(args: argparse.Namespace) -> Iterator[Row]:
    """What takes longest to start comes last."""
    device = machine.device()
    Precision("fp32", device)  # without TF32
    backbone = random_clip(args.backbone, images=False, device=device)
    if args.precision != "fp32":
        backbone = in_half(backbone, DTYPES[args.precision])
    backbone.text.chunks = Chunks.on(device)
    steps = [Step(backbone, classes, args.precision, args.repeats) for classes in args.classes]
    for step in steps:
        yield step.row("plain", lambda: step.take)  # noqa: B023 - it is called at once
        yield step.row("TEXT_GRAPHS", lambda: by_graphs(backbone.text, step.take))  # noqa: B023
        backbone.text.graphs = None
        yield step.row("CUDA graph", lambda: captured(step.take))  # noqa: B023
    for step in steps:
        with compiled(backbone.text, args.backend):
            yield step.row("torch.compile", lambda: step.take)  # noqa: B023
            yield step.row("both", lambda: captured(step.take))  # noqa: B023


class Step:
    """A step of CoOp, without the optimizer's, and what it takes in several ways, the plain one first."""

    def __init__(self, backbone: Backbone, classes: int, precision: str, repeats: int) -> None:
        torch.manual_seed(0)
        with quiet():
            self.classifier = CoOp.of(backbone, class_names(classes), N_CTX=4).to(backbone.device)
        self.batch = random_features(backbone, FEATURES, classes)
        self.title, self.apart, self.repeats = f"CoOp, {classes:,} classes, {precision}", APART[precision], repeats
        self.plain: tuple[float, list[Tensor]] | None = None  # seconds, loss and gradient

    @property
    def context(self) -> torch.nn.Parameter:
        return self.classifier.learned.ctx

    def take(self) -> Tensor:
        self.context.grad = None
        loss = self.classifier.loss(*self.batch)[0]
        loss.backward()
        return loss.detach()

    def row(self, way: str, made: Callable[[], Take]) -> Row:
        """That of the step that is made; with a note instead of figures where this fails."""
        show(f"{self.title}: {way}")
        row = Row(self.title, way)
        try:
            began = machine.now()
            take = made()
            found = [part.clone().float() for part in (take(), self.context.grad)]
            row.start = machine.now() - began
            row.seconds = self.seconds(take)
            self.plain = self.plain or (row.seconds, found)
            row.ratio = self.plain[0] / row.seconds
            row.note = self.differing(found)
        except Exception as error:
            row.note = " ".join(f"{error or type(error).__name__}".split())[:NOTE]
        return row

    def seconds(self, take: Take) -> float:
        times = []
        for _ in range(self.repeats):
            began = machine.now()
            take()
            times.append(machine.now() - began)
        return statistics.median(times)

    def differing(self, found: Sequence[Tensor]) -> str:
        """What is to be said of loss and gradient that are not those of the plain step."""
        apart = max(
            float((one - other).norm() / other.norm()) for one, other in zip(found, self.plain[1], strict=True)
        )
        return "" if apart <= self.apart else f"loss or gradient is another: {apart:.2g} apart"


@contextmanager
def compiled(tower: TextEncoder, backend: str) -> Iterator[None]:
    """The tower's passes by torch.compile for a while; how tokens lie, which follows from numbers, is outside."""
    torch.compiler.reset()
    passes = {
        name: torch.compile(getattr(tower, name), backend=backend, dynamic=False)
        for name in ("run_prefix", "run_tokens")
    }
    with mock.patch.multiple(tower, **passes):
        yield


def by_graphs(tower: TextEncoder, take: Take) -> Take:
    """The step with the tower's passes as TRAINER.TEXT_GRAPHS has them; raises RuntimeError without a GPU."""
    needs_gpu()
    tower.use_graphs()
    for _ in range(graphs.BEFORE + 1):
        take()
    if not tower.graphs.graphs:
        raise RuntimeError("no graph was made")
    return take


def needs_gpu() -> None:
    if not torch.cuda.is_available():
        raise RuntimeError("there is no GPU")


def captured(take: Take) -> Take:
    """The step as a CUDA graph; raises RuntimeError where it cannot be one."""
    needs_gpu()
    side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(BEFORE):
            take()
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        loss = take()

    def replay() -> Tensor:
        graph.replay()
        return loss

    return replay


def cells(row: Row) -> list[str]:
    numbers = (row.seconds, row.ratio, row.start)
    return [row.title, row.way, *("–" if number is None else seconds(number) for number in numbers), row.note]
