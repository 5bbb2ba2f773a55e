"""Products with frozen weights on a CPU, by oneDNN: exact up to rounding, and faster where PyTorch's fp32 is not.

For fp32 PyTorch asks MKL, which on AMD's processors leaves AVX-512 unused; oneDNN, which PyTorch has for other types
and for convolutions, uses it. What that comes to: `benchmark.py tower`.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

X86 = ("x86_64", "AMD64")  # on other processors nothing was measured
THERE = (
    torch.backends.mkldnn.is_available()
    and platform.machine() in X86
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)


def fast_products(device: torch.device) -> AbstractContextManager:
    """FastProducts on a CPU that has them; elsewhere nothing, at no cost."""
    return FastProducts() if THERE and device.type == "cpu" else nullcontext()


class FastProducts(TorchFunctionMode):
    """While it is entered, F.linear, of whatever module, is oneDNN's where that is possible; it is F.linear else."""

    def __torch_function__(
        self, function: Callable, types: Any, args: Sequence = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if function is F.linear and not kwargs and possible(*args):
            return Product.apply(*args)
        return function(*args, **(kwargs or {}))


def possible(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether oneDNN can give x (…, I) times weight (O, I): frozen and in fp32, on a CPU, outside autocast."""
    return (
        x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and THERE
        and not (weight.requires_grad or (bias is not None and bias.requires_grad))
        and not torch.is_autocast_enabled("cpu")
        and x.numel() > 0
    )


class Product(torch.autograd.Function):
    """x (…, I) times weight (O, I), plus bias (O,) where there is one: (…, O). The gradient is x's alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        ctx.weight = weight
        return by_onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return by_onednn(gradient, ctx.weight.t()), None, None


def by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """By the operation that torch.compile uses for frozen weights."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
