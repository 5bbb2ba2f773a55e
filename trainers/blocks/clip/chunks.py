"""How many prompts are encoded at once, so that memory does not grow with the number of classes."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..errors import InputError
from ..run.memory import is_out_of_memory

SHARE = {"cpu": 0.4, "cuda": 0.3}  # of the memory that is free at the start; three runs that share a GPU fit
CEILING = {"cpu": 4 * 2**30}  # bytes: other programs want memory too; a GPU's belongs to the run
AUTOMATIC, ALL = -1, 0
MOST = 65_535  # prompts in one call of attention: CUDA's grids have no room for more
PARTS = 4  # of the budget: those that are kept come close to it only if each is small
Made = TypeVar("Made")


@dataclass(frozen=True)
class Chunks:
    """How many prompts at once: so many; ALL; or AUTOMATIC, as many as the budget in bytes has room for.

    most: what no call has more of, since CUDA or memory had no room for it. seen: the most in a call of
    the step that is being taken.
    """

    size: int = ALL
    budget: int = 0
    most: int = MOST
    seen: int = 0

    @classmethod
    def on(cls, device: torch.device, size: int = AUTOMATIC) -> "Chunks":
        """By the key TRAINER.TEXT_CHUNK, with a budget by the memory that is free on the device now."""
        if size < AUTOMATIC:
            raise InputError(
                f"TRAINER.TEXT_CHUNK is {size}: give a number of prompts, 0 for all, or -1 for automatic."
            )
        share = SHARE.get(device.type, SHARE["cpu"])
        return cls(size, min(int(share * free_memory(device)), CEILING.get(device.type, 2**63)))

    def prompts(self, count: int, bytes_each: int, bytes_most: int) -> int:
        """How many of `count` prompts to encode at once: all, or where these do not fit a power of two.

        bytes_each is what one takes on average, bytes_most the longest.
        """
        if self.size != AUTOMATIC:
            fitting = self.size or count
        elif count * bytes_each <= self.budget:
            fitting = count
        else:
            fitting = 2 ** (max(1, self.budget // (PARTS * bytes_most)).bit_length() - 1)
        return min(fitting, self.most)

    @property
    def room(self) -> int:
        """Bytes of parts that are kept for the backward pass; none by the user's size, or once memory was out."""
        return self.budget if self.size == AUTOMATIC and self.most == MOST else 0

    def run(self, encode: Callable[[int], Tensor], size: int) -> tuple[Tensor, "Chunks"]:
        """encode(size), and the chunks to go on with.

        Where memory is out, and the size is not the user's, once more with half of it: the budget is an estimate,
        and other programs may have taken memory since.
        """
        try:
            return encode(size), self.after(size)
        except (RuntimeError, MemoryError) as error:
            if not self.can_halve(size, error):
                raise
        fewer = self.halved(size)  # from here on nothing holds what had been computed
        return encode(fewer.most), fewer

    def after(self, size: int) -> "Chunks":
        """The chunks to go on with where so many prompts have been encoded at once."""
        return replace(self, seen=max(self.seen, size))

    def can_halve(self, size: int, error: BaseException) -> bool:
        """Whether half of so many prompts at once may help against the error: of a size that is not the user's."""
        return self.size == AUTOMATIC and size > 1 and is_out_of_memory(error)

    def halved(self, size: int) -> "Chunks":
        """Half of so many prompts at once from here on, and a line that says so."""
        half = size // 2
        print(f"Memory for {size:,} prompts at once is not there: {half:,} at once from here on (TRAINER.TEXT_CHUNK)")
        return replace(self, most=half, budget=self.budget // 2, seen=half)


def cuts(groups: int, each: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Cuts `groups` times `each` prompts into parts of at most `size`: slices of the groups, and of each group."""
    some, few = max(1, size // each), min(size, each)
    for first in range(0, groups, some):
        for start in range(0, each, few):
            yield slice(first, first + some), slice(start, start + few)


def kept_of(bytes_of: Sequence[int], room: float) -> int:
    """How many of the last parts, of so many bytes each, there is room for.

    The last, since the backward pass comes to them first, and has freed them when it runs the others again.
    """
    return sum(total <= room for total in accumulate(reversed(bytes_of)))


def free_memory(device: torch.device) -> int:
    """Bytes that a tensor on this device could have."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def recomputed(function: Callable[..., Tensor], *inputs) -> Tensor:
    """function(*inputs), which draws no random numbers; kept is nothing: the backward pass runs it again."""
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
