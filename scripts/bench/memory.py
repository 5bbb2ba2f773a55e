"""Memory of this process, and the peak of what runs in it."""

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")
LAUNCHER = Path(__file__).with_name("launcher.py")
FORGET_PEAK = "5"  # what Linux takes for it


def resident_gb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def peak_gb() -> float:
    """Of resident memory, over the life of the process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def with_peak(action: Callable[[], Result], cuda: bool = False) -> tuple[Result, float | None]:
    """What the action gives, and the peak of memory above what was in use before, GB.

    On a GPU that of PyTorch's tensors there; else of resident memory, which Linux can tell: None elsewhere.
    """
    if cuda:
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        return action(), (torch.cuda.max_memory_allocated() - before) / 1e9
    try:
        give_back_freed()
        Path("/proc/self/clear_refs").write_text(FORGET_PEAK, encoding="ascii")
        before = resident_gb()
    except OSError:
        return action(), None
    return action(), peak_since_gb() - before


def give_back_freed() -> None:
    """Has the C library return what is freed, so that it is not counted as in use."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # other C libraries than GNU's
            ctypes.CDLL(None).malloc_trim(0)


def peak_since_gb() -> float:
    """Of resident memory since the peak was last forgotten."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM:"))


@dataclass(frozen=True)
class Usage:
    """Of a process that has ended: the peak of its resident memory, GB, and the processor's seconds."""

    gigabytes: float
    seconds: float


def usage_of(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, Usage]:
    """Runs it: its exit status, what it printed, and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "usage")
        done = subprocess.run(
            [sys.executable, LAUNCHER, file, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        return done.returncode, done.stdout, Usage(*map(float, file.read_text(encoding="ascii").split()))
