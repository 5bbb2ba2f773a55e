"""Products by oneDNN are F.linear's up to rounding, and only where they are possible."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainers.blocks.clip import products
from trainers.blocks.clip.products import FastProducts, possible

pytestmark = pytest.mark.skipif(not products.THERE, reason="PyTorch has no oneDNN here, or not on x86")
X, WEIGHT, BIAS = torch.randn(3, 5, 16), torch.randn(24, 16), torch.randn(24)


@pytest.fixture
def asked(monkeypatch):
    """What oneDNN was asked for: shapes of the two factors."""
    seen, by_onednn = [], products.by_onednn

    def noted(x, weight, bias=None):
        seen.append((tuple(x.shape), tuple(weight.shape)))
        return by_onednn(x, weight, bias)

    monkeypatch.setattr(products, "by_onednn", noted)
    return seen


@pytest.mark.parametrize("bias", [None, BIAS])
@pytest.mark.parametrize("x", [X, X[0], X[:, :1], X[0, 0], X.transpose(0, 1), X[..., ::2].repeat_interleave(2, -1)])
def test_values_and_gradients_are_those_of_linear(x, bias, asked):
    plain, fast = (x.clone().requires_grad_() for _ in range(2))
    expected = F.linear(plain, WEIGHT, bias)
    with FastProducts():
        found = F.linear(fast, WEIGHT, bias)
    expected.square().sum().backward()
    found.square().sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(fast.grad, plain.grad, rtol=1e-4, atol=1e-4)
    assert asked == [(tuple(x.shape), (24, 16)), (tuple(expected.shape), (16, 24))]


def test_modules_get_them_while_it_is_entered_and_not_after(asked):
    layer = nn.Linear(16, 24).requires_grad_(False)
    with FastProducts():
        layer(X)
    layer(X)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        (X.double(), WEIGHT.double(), None),
        (X.bfloat16(), WEIGHT.bfloat16(), None),
        (X, WEIGHT.clone().requires_grad_(), None),
        (X, WEIGHT, BIAS.clone().requires_grad_()),
        (X[:0], WEIGHT, BIAS),
        (X.to("meta"), WEIGHT.to("meta"), None),
    ],
)
def test_what_it_cannot_do_is_left_to_linear(x, weight, bias, asked):
    with FastProducts():
        assert F.linear(x, weight, bias).shape == (*x.shape[:-1], 24)
    assert not asked


def test_autocast_keeps_its_products():
    with torch.autocast("cpu", torch.bfloat16), FastProducts():
        assert not possible(X, WEIGHT)
        assert F.linear(X, WEIGHT).dtype == torch.bfloat16
