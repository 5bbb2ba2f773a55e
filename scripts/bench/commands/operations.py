"""Counts what steps of training ask the device for beside their arithmetic, on the CLIP of `shapes`.

    python scripts/benchmark.py operations [--features 64] [--classes 37] [--json]

A step is a forward and a backward pass, without the optimizer; what is kept from step to step is there already.
operations: those of PyTorch's profiler on the CPU that consist of no others; a GPU's are launched one by one. reads:
single numbers, and copies to the CPU; for each a GPU is waited for. copies: to the device. Exit status: 0; 2 for bad
input.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from common.arguments import CHECKOUT, command_parser, positive
from torch import Tensor
from torch.autograd.profiler_util import FunctionEvent
from torch.overrides import TorchFunctionMode
from torch.profiler import ProfilerActivity, profile

from bench import machine
from bench.made_up import class_names
from bench.measure import quiet
from bench.parts import StageOne, StageTwo, random_features
from bench.tables import text
from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.training.feature_trainer import read_at_once

CLIP = CHECKOUT / "datasets/assets/shapes_clip.pt"
BEFORE = 2  # steps that are not counted
READ = "aten::_local_scalar_dense"
COLUMNS = ("", "operations", "reads", "copies")
Loss = Callable[[], Tensor]


@dataclass
class Counts:
    """Of one step."""

    operations: int
    reads: int
    copies: int


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_parser("benchmark.py operations", __doc__)
    add = parser.add_argument
    add("--features", type=positive, default=64, help="of a step, real and synthesized ones together (64)")
    add("--classes", type=positive, default=37, help="number of classes (37)")
    add("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    if min(args.features, args.classes) < 2:
        parser.error("--features and --classes are at least 2")
    backbone = load_backbone(str(CLIP), "fp32", torch.device("cpu"))
    rows = {title: counted(loss) for title, loss in steps(backbone, args.features, args.classes).items()}
    about = {"features": args.features, "classes": args.classes, "machine": machine.described()}
    if args.json:
        print(json.dumps({**about, "steps": {title: asdict(row) for title, row in rows.items()}}, indent=4))
        return
    print(f"{args.features} features, {args.classes} classes, PyTorch {torch.__version__}\n")
    print(text(COLUMNS, [[title, *(f"{count:,}" for count in asdict(row).values())] for title, row in rows.items()]))


def steps(backbone: Backbone, features: int, classes: int) -> dict[str, Loss]:
    """The losses of the steps."""
    names = class_names(classes)
    with quiet():
        classifier = CoOp.of(backbone, names, N_CTX=4, CSC=True)
    batch = random_features(backbone, features, classes)
    return {
        "stage 1": StageOne(backbone, names, features).loss,
        "stage 2 on CoOp": StageTwo(backbone, names, features // 2).loss,
        "CoOp with a context for each class": lambda: classifier.loss(*batch)[0],
    }


def counted(loss: Loss) -> Counts:
    for _ in range(BEFORE):
        step(loss)
    with profile(activities=[ProfilerActivity.CPU]) as profiled, Transfers() as transfers:
        step(loss)
    names = [event.name for event in profiled.events() if is_single(event)]
    return Counts(len(names), transfers.reads + names.count(READ), transfers.copies)


def step(loss: Loss) -> None:
    value = loss()
    read_at_once({"loss": value})
    value.backward()


def is_single(event: FunctionEvent) -> bool:
    """Whether it is an operation that consists of no others."""
    return is_operation(event) and not any(map(is_operation, event.cpu_children))


def is_operation(event: FunctionEvent) -> bool:
    return event.name.startswith("aten::")


class Transfers(TorchFunctionMode):
    """Counts calls that bring tensors to the CPU, and those that bring them to a device."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.copies = 0

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        self.reads += function is Tensor.cpu
        places = (*arguments[1:], *options.values())
        self.copies += function is Tensor.to and any(isinstance(place, torch.device) for place in places)
        return function(*arguments, **options)
