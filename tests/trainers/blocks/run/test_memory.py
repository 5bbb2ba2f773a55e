"""Memory that cannot be had is told from other faults, and said in a line."""

import errno

import numpy as np
import pytest
import torch

from trainers.blocks.errors import InputError
from trainers.blocks.run.memory import is_out_of_memory, memory_for

CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "8192000000000 bytes. Error code 12 (Cannot allocate memory)"
)
WINDOWS = "DefaultCPUAllocator: not enough memory: you tried to allocate 2048 bytes."
CUDA = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB."
NUMPY = np._core._exceptions._ArrayMemoryError((10**6, 10**8), np.dtype(float))
SHARED = "DataLoader worker (pid 7) is killed by signal: Bus error. workers are out of shared memory."
CONFIG = {"TRAINER": {"SHIP": {"LATENT_DIM": 10**9, "SEED": 1}}}


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (RuntimeError(CPU), "7.451 TiB"),
        (RuntimeError(WINDOWS), "2 KiB"),
        (torch.OutOfMemoryError(CUDA), "20.00 GiB"),
        (NUMPY, "728 TiB"),
        (RuntimeError("Storage size calculation overflowed with sizes=[1, 2]"), ""),
        (RuntimeError(SHARED), ""),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), ""),
        (TypeError('failed to unpack the object at pos 1 with error "Overflow when unpacking long long'), ""),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), ""),
        (MemoryError(), ""),
    ],
)
def test_line_names_what_was_built_how_much_it_asked_for_and_the_keys(error, asked):
    with pytest.raises(InputError) as told, memory_for("the model", CONFIG, "TRAINER.SHIP.LATENT_DIM", "NO.KEY"):
        raise error
    (line,) = str(told.value).splitlines()
    assert line == (
        f"There is not enough memory for the model{f', which asked for {asked}' if asked else ''}. "
        "What decides it: TRAINER.SHIP.LATENT_DIM (now 1000000000)."
    )


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), InputError("out of memory"), TypeError("no"), KeyError()]
)
def test_other_faults_pass(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as passed, memory_for("the model", CONFIG):
        raise error
    assert passed.value is error


def test_innermost_block_speaks():
    with pytest.raises(InputError, match="for the inner"), memory_for("the outer", {}), memory_for("the inner", {}):
        raise MemoryError
