"""Tokens of prompts of unlike length: padded to the longest, or packed one behind another without padding."""

import torch
from torch import Tensor

WASTE = 0.25  # share of padding from which on packing is chosen; below, little is to be gained


class Padded:
    """Prompts (B, S, C) as they are; eot (B,) is each one's last token."""

    def __init__(self, eot: Tensor) -> None:
        self.rows, self.eot = torch.arange(len(eot), device=eot.device), eot

    def pack(self, x: Tensor) -> Tensor:
        return x

    def unpack(self, x: Tensor) -> Tensor:
        return x

    def last(self, x: Tensor) -> Tensor:
        """The last tokens (B, C)."""
        return x[self.rows, self.eot]


class Packed:
    """The T tokens up to the last of each prompt, (T, C); what stands behind it is zero when unpacked."""

    def __init__(self, eot: Tensor, length: int) -> None:
        self.shape = (len(eot), length)
        positions = torch.arange(length, device=eot.device)
        self.rows = (positions <= eot[:, None]).flatten().nonzero()[:, 0]
        self.ends = (eot + 1).cumsum(0) - 1

    def pack(self, x: Tensor) -> Tensor:
        return x.flatten(0, 1).index_select(0, self.rows)

    def unpack(self, x: Tensor) -> Tensor:
        empty = x.new_zeros(self.shape[0] * self.shape[1], x.shape[-1])
        return empty.index_copy(0, self.rows, x).unflatten(0, self.shape)

    def last(self, x: Tensor) -> Tensor:
        """The last tokens (B, C)."""
        return x[self.ends]


def layout(eot: Tensor, length: int) -> Padded | Packed:
    """How to lay out prompts with their last tokens at eot (B,), padded to `length`."""
    tokens, places = int(eot.sum()) + len(eot), len(eot) * length
    return Packed(eot, length) if places - tokens > WASTE * places else Padded(eot)
