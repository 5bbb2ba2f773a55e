"""Operations are counted the same whichever library computes them."""

import torch
from bench.operations import counter
from torch import Tensor
from torch.nn import functional as F

from trainers.blocks.clip.products import FastProducts

X, WEIGHT = torch.randn(2, 3, 16), torch.randn(8, 16)


def operations(action) -> int:
    with counter() as counted:
        action()
    return counted.get_total_flops()


def test_products_of_both_libraries_count_alike():
    def fast() -> None:
        with FastProducts():
            F.linear(X, WEIGHT)

    assert operations(fast) == operations(lambda: F.linear(X, WEIGHT)) == 2 * 2 * 3 * 16 * 8


def test_attention_on_a_cpu_counts_forward_and_backward():
    x = torch.randn(2, 4, 10, 16, requires_grad=True)

    def attend() -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)

    forward = 2 * (2 * 2 * 4 * 10 * 10 * 16)
    assert operations(attend) == forward
    assert operations(lambda: attend().sum().backward()) > 2 * forward
