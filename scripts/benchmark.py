"""Measures what SHIP costs on this machine, or estimates it, in one of ten ways.

    python scripts/benchmark.py --repeats 3
    python scripts/benchmark.py growth --plot plots
    python scripts/benchmark.py images --backbone ViT-B/16 --images /path/to/pictures
    python scripts/benchmark.py texts --classes 1000
    python scripts/benchmark.py loading --round-trip 0.5
    python scripts/benchmark.py memory --classes 1000 10000

parts     each part of a run by the plain path and by ours, and a full-size run computed from them (the default)
growth    a step of stage 2 against the number of classes, the context and the length of class names
images    encoding images in bf16 and in fp32
texts     a step of stage 2 with prompts in bf16 and in fp32
loading   the time to the first training step on a dataset of many listed images
memory    the memory of a CoOp step against the number of classes
gpu       steps and images on this GPU in several precisions, against the plain path
estimate  what the paper's runs take on a GPU, from their numbers of operations
starts    what starting costs: runs as processes, and as forks of one that has imported everything
classes   SHIP end to end among thousands of class names, step by step

Each says more with --help: python scripts/benchmark.py growth --help
"""

import importlib
import sys
from collections.abc import Sequence

from common.command import run_command
from common.errors import fail, unknown

BENCHMARKS = ("parts", "growth", "images", "texts", "loading", "memory", "gpu", "estimate", "starts", "classes")


def main(argv: Sequence[str] | None = None) -> None:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["-h"], ["--help"]):
        print(f"usage: python scripts/benchmark.py [{'|'.join(BENCHMARKS)}] [options]\n\n{__doc__.strip()}")
        return
    name = words.pop(0) if words and not words[0].startswith("-") else BENCHMARKS[0]
    if name not in BENCHMARKS:
        fail(unknown("benchmark", name, BENCHMARKS))
    import compat

    compat.ensure()  # makes dassl and clip importable, so it comes before the benchmark's imports
    importlib.import_module(f"bench.commands.{name}").main(words)


if __name__ == "__main__":
    run_command(main)
