"""Measures what SHIP costs on this machine, or estimates it.

    python scripts/benchmark.py --repeats 3
    python scripts/benchmark.py growth --plot plots
    python scripts/benchmark.py images --backbone ViT-B/16 --images /path/to/pictures
    python scripts/benchmark.py tower --threads 1
    python scripts/benchmark.py loading --round-trip 0.5
    python scripts/benchmark.py memory --classes 1000 10000

Each says more with --help: python scripts/benchmark.py growth --help
"""

import importlib
import sys
from collections.abc import Sequence

from common.command import run_command
from common.errors import fail, unknown

BENCHMARKS = {
    "parts": "each part of a run by the plain path and by ours, and a full-size run computed from them (the default)",
    "whole": "a whole run as the authors' code does it and as ours does, beside what is computed from parts",
    "growth": "a step of stage 2 against the number of classes, the context and the length of class names",
    "images": "encoding images in bf16 and in fp32",
    "tower": "an image tower by CLIP's own modules and by ours, and where its time goes",
    "texts": "prompts in bf16 and in fp32, among many classes",
    "loading": "the time to the first training step on a dataset of many listed images",
    "reading": "decoding JPEGs in other ways, and reading while others are encoded",
    "encodings": "how often each picture, in each view, is encoded by all methods' runs",
    "memory": "the memory of a CoOp step against the number of classes",
    "gpu": "steps and images on this GPU in several precisions, against the plain path",
    "compiled": "a step of one shape as a CUDA graph and by torch.compile",
    "operations": "what a step asks the device for beside its arithmetic",
    "estimate": "what the paper's runs take on a GPU, from their numbers of operations",
    "starts": "what starting costs: runs as processes, and as forks of one that has imported everything",
    "classes": "SHIP end to end among thousands of class names, step by step",
}


def main(argv: Sequence[str] | None = None) -> None:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["-h"], ["--help"]):
        print(usage())
        return
    name = words.pop(0) if words and not words[0].startswith("-") else next(iter(BENCHMARKS))
    if name not in BENCHMARKS:
        fail(unknown("benchmark", name, BENCHMARKS))
    import compat

    compat.ensure()  # makes dassl and clip importable, so it comes before the benchmark's imports
    importlib.import_module(f"bench.commands.{name}").main(words)


def usage() -> str:
    width = max(map(len, BENCHMARKS)) + 2
    listed = "\n".join(f"{name:{width}}{about}" for name, about in BENCHMARKS.items())
    return f"usage: python scripts/benchmark.py [BENCHMARK] [options]\n\n{__doc__}\n{listed}"


if __name__ == "__main__":
    run_command(main)
