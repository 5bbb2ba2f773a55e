"""Measures the memory of a CoOp training step against the number of classes, on a text tower of random weights.

    python scripts/benchmark.py memory --classes 1000 10000

Each measurement is a process of its own, on the CPU: the peak of its resident memory over one step, above what it
had with model and class names in place. Prints a table, or JSON with --json.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from common.arguments import CHECKOUT, command_parser
from tabulate import tabulate

COMMAND = CHECKOUT / "scripts/benchmark.py"


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.alone:
        print(json.dumps(measure(args.classes[0], args.context, args.chunk, args.batch)))
        return
    rows = [in_own_process(classes, args) for classes in args.classes]
    print(json.dumps(rows, indent=4) if args.json else tabulate(rows, headers="keys"))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("benchmark.py memory", __doc__)
    parser.add_argument("--classes", type=int, nargs="+", default=[100, 1000, 10000], help="(100 1000 10000)")
    parser.add_argument("--context", type=int, default=16, help="context tokens (16)")
    parser.add_argument("--batch", type=int, default=32, help="images in the step (32)")
    parser.add_argument("--chunk", type=int, default=-1, help="TRAINER.TEXT_CHUNK (-1: automatic)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if min(*args.classes, args.context, args.batch) < 1:
        parser.error("--classes, --context and --batch are at least 1")
    return args


def in_own_process(classes: int, args: argparse.Namespace) -> dict:
    options = ("--context", args.context, "--batch", args.batch, "--chunk", args.chunk)
    command = [sys.executable, COMMAND, "memory", "--alone", "--classes", classes, *options]
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(classes: int, context: int, chunk: int, batch: int) -> dict:
    """One step over so many classes: GB above the model, and seconds."""
    import torch

    from bench.architectures import random_clip
    from bench.made_up import class_names
    from bench.measure import quiet
    from bench.memory import peak_gb, resident_gb
    from trainers.blocks.clip.chunks import Chunks
    from trainers.blocks.methods.coop import CoOp

    torch.manual_seed(0)
    backbone = random_clip("ViT-B/16", images=False)
    backbone.text.chunks = Chunks.on(backbone.device, chunk)
    with quiet():
        classifier = CoOp.of(backbone, class_names(classes), N_CTX=context)
    features = torch.nn.functional.normalize(torch.randn(batch, backbone.feature_dim), dim=-1)
    labels = torch.randint(classes, (batch,))
    optimizer = torch.optim.SGD(classifier.learned.parameters(), lr=0.002)
    before, start = resident_gb(), time.perf_counter()
    classifier.loss(features, labels)[0].backward()
    optimizer.step()
    return {
        "classes": classes,
        "context": context,
        "chunk": chunk,
        "model and names, GB": round(before, 2),
        "step above it, GB": round(peak_gb() - before, 2),
        "seconds": round(time.perf_counter() - start, 1),
        "threads": torch.get_num_threads(),
    }
