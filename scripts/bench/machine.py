"""The machine that a benchmark runs on, and how fast it multiplies matrices."""

import os
import platform
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.nn.functional import linear

from trainers.blocks.clip.products import FastProducts
from trainers.blocks.run.identity import code_version
from trainers.blocks.run.results import versions

SHAPES = ((2048, 2048, 2048), (2464, 512, 2048), (6304, 768, 3072))  # a square, and layers of both towers
TIMES = 5


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def described() -> dict[str, object]:
    """Processor, threads, versions and commit."""
    return {
        "processor": torch.cuda.get_device_name() if device().type == "cuda" else processor(),
        "device": device().type,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "seconds": "processor time" if on_processor() else "wall time",
        "system": platform.platform(),
        "versions": versions(),
        "code": code_version(),
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def summary(about: dict) -> str:
    code = about["code"]
    commit = str(code.get("commit") or code.get("version"))[:10] + (" with changes" if code.get("dirty") else "")
    return (
        f"{about['processor']}, {about['device']}, threads: {about['threads']}, {about['seconds']}, fp32, "
        f"PyTorch {about['versions']['torch']}, commit {commit}"
    )


def on_processor() -> bool:
    """Whether seconds are the processor's."""
    return device().type == "cpu" and torch.get_num_threads() == 1


def now() -> float:
    """Seconds; waits until a GPU has done what it was asked for.

    With one thread on a CPU the time that the processor gave to this process: other programs hardly change it.
    """
    if device().type == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if on_processor() else time.perf_counter()


def peak_flops(shapes: tuple[tuple[int, int, int], ...] = SHAPES, dtype: torch.dtype = torch.float32) -> float:
    """The most floating-point operations a second that a matrix product comes to here, in fp32 unless told.

    Of PyTorch's own way and of oneDNN's, by the faster.
    """
    best = 0.0
    for rows, inner, columns in shapes:
        left, right = (torch.randn(*one, device=device(), dtype=dtype) for one in ((rows, inner), (columns, inner)))
        for way in (nullcontext, FastProducts):
            for _ in range(1 + TIMES):  # the first time takes longer, and so is never the best
                with way():
                    start = now()
                    linear(left, right)
                    best = max(best, 2 * rows * inner * columns / (now() - start))
    return best
