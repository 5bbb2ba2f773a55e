"""Counts floating-point operations: those that PyTorch's counter knows, and what a CPU has beside them."""

import math

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from trainers.blocks.clip import products

Shape = tuple[int, ...]


def linear(x: Shape, weight: Shape, *args: object, out_shape: Shape | None = None, **kwargs: object) -> int:
    """Of x (…, I) times weight (O, I)."""
    return 2 * weight[0] * math.prod(x)


def attention(queries: Shape, keys: Shape, values: Shape, *args: object, **kwargs: object) -> int:
    return sdpa_flop_count(queries, keys, values)


def attention_backward(output: Shape, *shapes: Shape, **kwargs: object) -> int:
    return sdpa_backward_flop_count(output, *shapes[:3])


ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"
UNKNOWN = {
    getattr(torch.ops.aten, ATTENTION): attention,
    getattr(torch.ops.aten, f"{ATTENTION}_backward"): attention_backward,
}
if products.THERE:
    UNKNOWN[torch.ops.mkldnn._linear_pointwise] = linear


def counter() -> FlopCounterMode:
    """Counts while it is entered; get_total_flops() then has the number."""
    return FlopCounterMode(display=False, custom_mapping=UNKNOWN)
