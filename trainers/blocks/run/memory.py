"""Memory that cannot be had: a line that names what was being built, how much it asked for, and what decides that."""

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import InputError
from .identity import flatten

# PyTorch has an exception of its own for GPUs alone; the last two are sizes that no number of bytes can express
OUT = re.compile(
    "out of (?:shared )?memory|can't allocate memory|not enough memory|ALLOC_FAILED"
    "|Storage size calculation overflowed|Overflow when unpacking long",
    re.IGNORECASE,
)
OF_GPU = re.compile("CUDA error|CUBLAS_STATUS|CUDNN_STATUS|NCCL error|device-side assert")
ASKED = re.compile(r"(?:tried|unable) to allocate ([\d.]+) ?(bytes|[KMGTPE]?i?B)", re.IGNORECASE)
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory is out, on whatever device."""
    if isinstance(error, InputError):
        return False
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, (RuntimeError, TypeError)) and bool(OUT.search(str(error)))


def is_of_gpu(error: BaseException) -> bool:
    """Whether a GPU or one of its libraries failed, which says nothing of the file that is being read, say."""
    return isinstance(error, RuntimeError) and bool(OF_GPU.search(str(error)))


def out_of_memory(error: BaseException, what: str, config: Mapping, *keys: str) -> InputError:
    """The error for the user; `keys` of the configuration decide how much memory `what` takes."""
    values = flatten(config)
    decide = ", ".join(f"{key} (now {values[key]})" for key in keys if key in values)
    return InputError(
        f"There is not enough memory for {what}{asked_for(error)}."
        + (f" What decides it: {decide}." if decide else "")
    )


def asked_for(error: BaseException) -> str:
    """How much was asked for at once, where the error says it."""
    found = ASKED.search(str(error))
    if not found:
        return ""
    size, unit = float(found[1]), 0
    if found[2] != "bytes":
        return f", which asked for {found[1].rstrip('.')} {found[2]}"
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f", which asked for {size:.4g} {UNITS[unit]}"


@contextmanager
def memory_for(what: str, config: Mapping, *keys: str) -> Iterator[None]:
    """Raises InputError where memory is out inside; of several such blocks in each other the innermost speaks."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(error, what, config, *keys) from error
