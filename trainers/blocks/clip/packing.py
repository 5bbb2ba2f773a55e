"""Tokens of prompts of unlike length: padded to the longest, or packed one behind another without padding."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

WASTE = 0.25  # share of padding from which on packing is chosen; below, little is to be gained


class Padded:
    """Prompts (B, S, C) as they are; eot (B,), on the CPU, is each one's last token."""

    def __init__(self, eot: Tensor, device: torch.device) -> None:
        self.rows, self.eot = torch.arange(len(eot), device=device), eot.to(device, non_blocking=True)

    def pack(self, x: Tensor) -> Tensor:
        return x

    def unpack(self, x: Tensor) -> Tensor:
        return x

    def last(self, x: Tensor) -> Tensor:
        """The last tokens (B, C)."""
        return x[self.rows, self.eot]


class Packed:
    """The T tokens up to the last of each prompt, (T, C); what stands behind it is zero when unpacked."""

    def __init__(self, eot: Tensor, length: int, device: torch.device) -> None:
        self.shape, self.eot = (len(eot), length), eot.to(device, non_blocking=True)
        rows = (torch.arange(length) <= eot[:, None]).flatten().nonzero()[:, 0]
        self.rows = rows.to(device, non_blocking=True)
        self.ends = ((eot + 1).cumsum(0) - 1).to(device, non_blocking=True)

    def pack(self, x: Tensor) -> Tensor:
        return x.flatten(0, 1).index_select(0, self.rows)

    def unpack(self, x: Tensor) -> Tensor:
        empty = x.new_zeros(self.shape[0] * self.shape[1], x.shape[-1])
        return empty.index_copy(0, self.rows, x).unflatten(0, self.shape)

    def last(self, x: Tensor) -> Tensor:
        """The last tokens (B, C)."""
        return x[self.ends]


def layout(ends: Sequence[int], length: int, device: torch.device) -> Padded | Packed:
    """How to lay out prompts with their last tokens at `ends`, padded to `length`.

    It is decided from Python's numbers: a GPU is not waited for.
    """
    tokens, places, eot = sum(ends) + len(ends), len(ends) * length, torch.tensor(ends)
    return Packed(eot, length, device) if places - tokens > WASTE * places else Padded(eot, device)


class Layouts:
    """`layout`, which keeps those for the lengths that came last: in training the same ones come in every step."""

    COUNT = 32

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple, Padded | Packed] = OrderedDict()

    def __call__(self, ends: tuple[int, ...], length: int, device: torch.device) -> Padded | Packed:
        key = (ends, length, device)
        self.kept[key] = self.kept.pop(key, None) or layout(ends, length, device)
        if len(self.kept) > self.COUNT:
            self.kept.popitem(last=False)
        return self.kept[key]


def padded(suffix: Tensor, eot: Tensor, length: int, pad: Tensor) -> Tensor:
    """Suffixes (N, S, W) with the embedding `pad` (W,) behind their EOT at (N,), cut or filled up to `length`."""
    short = max(0, length - suffix.shape[1])
    x = torch.cat([suffix[:, :length], pad.expand(len(suffix), short, -1).type(suffix.dtype)], dim=1)
    behind = torch.arange(length, device=x.device) > eot.to(x.device)[:, None]
    return torch.where(behind[..., None], pad.type(x.dtype), x)
