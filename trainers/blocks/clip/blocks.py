"""Transformer blocks of several libraries, by their parts: what the fast text path runs.

A block is pre-norm: x + scale_1(out(attention(norm_1(x)))), and of that x + scale_2(mlp(norm_2(x))).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Map = Callable[[Tensor], Tensor]


class UnknownLayout(ValueError):
    """A block or tower whose parts are not where they are looked for."""


class JointAttention:
    """That of PyTorch: queries, keys and values are one product."""

    def __init__(self, attn: nn.MultiheadAttention) -> None:
        if not isinstance(attn, nn.MultiheadAttention) or attn.in_proj_weight is None or attn.bias_k is not None:
            raise UnknownLayout(type(attn).__name__)
        self.attn, self.heads, self.out = attn, attn.num_heads, attn.out_proj

    @property
    def weight(self) -> Tensor:
        return self.attn.in_proj_weight

    def queries(self, x: Tensor) -> Tensor:
        """Of x's rows (…, W): (…, W)."""
        return self._rows(x, slice(None, x.shape[-1]))

    def keys_values(self, x: Tensor) -> Tensor:
        """Of x's rows (…, W): (…, 2 W)."""
        return self._rows(x, slice(x.shape[-1], None))

    def _rows(self, x: Tensor, rows: slice) -> Tensor:
        bias = self.attn.in_proj_bias
        return F.linear(x, self.attn.in_proj_weight[rows], None if bias is None else bias[rows])


class SeparateAttention:
    """That of transformers: queries, keys and values are a product each."""

    def __init__(self, attn: nn.Module) -> None:
        if attn.scale != attn.head_dim**-0.5:
            raise UnknownLayout(f"{type(attn).__name__} with a scale of its own")
        self.attn, self.heads, self.out = attn, attn.num_heads, attn.out_proj

    @property
    def weight(self) -> Tensor:
        return self.attn.q_proj.weight

    def queries(self, x: Tensor) -> Tensor:
        return self.attn.q_proj(x)

    def keys_values(self, x: Tensor) -> Tensor:
        return torch.cat([self.attn.k_proj(x), self.attn.v_proj(x)], dim=-1)


@dataclass(frozen=True)
class Block:
    """A block's parts; the scales are those of layer scale, where there is one."""

    norm_1: Map
    attention: JointAttention | SeparateAttention
    norm_2: Map
    mlp: Map
    scale_1: Map | None = None
    scale_2: Map | None = None

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """The block's output for its input x and what its heads have gathered, both (…, W)."""
        x = x + _scaled(self.scale_1, self.attention.out(attended))
        return x + _scaled(self.scale_2, self.mlp(self.norm_2(x)))


def _scaled(scale: Map | None, x: Tensor) -> Tensor:
    return x if scale is None else scale(x)


def described(block: nn.Module) -> Block:
    """A block of clip, open_clip or transformers by its parts; raises UnknownLayout where it is none of these."""
    parts = dict(block.named_children())
    try:
        if "self_attn" in parts:
            attention = SeparateAttention(parts.pop("self_attn"))
            found = Block(parts.pop("layer_norm1"), attention, parts.pop("layer_norm2"), parts.pop("mlp"))
        else:
            attention = JointAttention(parts.pop("attn"))
            scales = parts.pop("ls_1", None), parts.pop("ls_2", None)
            found = Block(parts.pop("ln_1"), attention, parts.pop("ln_2"), parts.pop("mlp"), *scales)
    except (KeyError, AttributeError) as error:
        raise UnknownLayout(f"{type(block).__name__}: {error}") from error
    if parts:
        raise UnknownLayout(f"{type(block).__name__} with {', '.join(parts)}")
    return found
