"""Checks of a backbone against the library that its model comes from."""

import io
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tests.trainers.other_clips import Other
from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.clip.chunks import AUTOMATIC, Chunks
from trainers.blocks.clip.whole_text import WholeTextEncoder

N_CTX = 4
NAMES = ("cat", "large dog", "art", "bad video game")
TEXTS = [f"x x x x {name}." for name in NAMES]  # of NAMES behind as many words as a context has
VALUES, GRADIENTS = 1e-5, 1e-4


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, atol=VALUES, rtol=VALUES)


def check_images(backbone: Backbone, other: Other) -> None:
    images = torch.randn(3, 3, backbone.resolution, backbone.resolution)
    expected = normalize(other.encode_image(images), dim=-1)
    close(backbone.encode_image(images), expected)
    sent = io.BytesIO()  # as to a process of another device
    torch.save(backbone.image, sent)
    close(torch.load(io.BytesIO(sent.getvalue()), weights_only=False)(images), expected)


def check_texts(backbone: Backbone, other: Other) -> None:
    tokens = backbone.tokenizer([*NAMES, *TEXTS])
    close(backbone.text.encode_tokens(tokens), other.encode_text(tokens))
    assert backbone.feature_dim == other.encode_text(tokens).shape[-1]


def check_shared_contexts(backbone: Backbone, other: Other) -> None:
    """Two contexts, each with all names: as CoOp (of one) and CoCoOp have them."""

    def ours(contexts: Tensor, start: Tensor, behind: Tensor, eot: Tensor) -> Tensor:
        prefix = torch.cat([start.expand(len(contexts), -1, -1), contexts], dim=1)
        return backbone.text(prefix, behind, eot - N_CTX)

    check_contexts(backbone, other, ours, 2)


def check_contexts_of_their_own(backbone: Backbone, other: Other) -> None:
    """A context for each name, as SHIP's generator writes them."""

    def ours(contexts: Tensor, start: Tensor, behind: Tensor, eot: Tensor) -> Tensor:
        suffix = torch.cat([contexts, behind], dim=1)
        return backbone.text(start, suffix, eot)[0].unflatten(0, (len(contexts), 1))

    check_contexts(backbone, other, ours, len(TEXTS))


def check_contexts(backbone: Backbone, other: Other, ours: Callable[..., Tensor], count: int) -> None:
    """Compares features and the contexts' gradients, all at once and in parts, with the library's."""
    tokenizer, tokens = backbone.tokenizer, backbone.tokenizer(TEXTS)
    first = len(tokenizer.start)
    embeddings, eot = other.embedding(tokens), tokenizer.ends(tokens) - first
    start, behind = embeddings[:1, :first], embeddings[:, first + N_CTX : first + int(eot.max()) + 1]
    own = count == len(TEXTS)
    drawn = torch.randn(count, N_CTX, backbone.text.width, generator=torch.Generator().manual_seed(1))

    contexts = drawn.clone().requires_grad_()
    groups = [tokens[[row]] if own else tokens for row in range(count)]
    pairs = zip(groups, contexts, strict=True)
    expected = torch.stack([of_embeddings(other, group, first, context) for group, context in pairs])
    expected_gradient = gradient_of(expected, contexts)
    whole = isinstance(backbone.text, WholeTextEncoder)
    budget = 3 * backbone.text.bytes_each(learning=True) if whole else 2**16  # some are kept, and others run again
    for chunks in (Chunks(0), Chunks(1), Chunks(3), Chunks(AUTOMATIC, budget)):
        backbone.text.chunks = chunks
        contexts = drawn.clone().requires_grad_()
        features = ours(contexts, start, behind, eot)
        close(features.detach(), expected.detach())
        gradient = gradient_of(features, contexts)
        assert (gradient - expected_gradient).norm() / expected_gradient.norm() < GRADIENTS


def of_embeddings(other: Other, tokens: Tensor, first: int, context: Tensor) -> Tensor:
    """The library's features of token numbers (N, window), with a context put in where it looks embeddings up."""

    def put(module: object, inputs: object, x: Tensor) -> Tensor:
        return torch.cat([x[:, :first], context.expand(len(x), -1, -1), x[:, first + N_CTX :]], dim=1)

    handle = other.embedding.register_forward_hook(put)
    try:
        return other.encode_text(tokens)
    finally:
        handle.remove()


def gradient_of(features: Tensor, contexts: Tensor) -> Tensor:
    weights = torch.linspace(-1, 1, features.numel()).view_as(features)
    return torch.autograd.grad((features * weights).sum(), contexts)[0]


def check_precision(name: str, precision: str) -> None:
    """Close to fp32, and told to be the same backbone."""
    lower, full = (load_backbone(name, some, "cpu") for some in (precision, "fp32"))
    images = torch.randn(3, 3, full.resolution, full.resolution)
    assert torch.cosine_similarity(lower.encode_image(images), full.encode_image(images)).min() > 0.999
    features = [backbone.text_features(NAMES, ["a photo of a {}."]) for backbone in (lower, full)]
    assert torch.cosine_similarity(*features).min() > 0.999
    assert (lower.identity, lower.logit_scale) == (full.identity, full.logit_scale)
    lowered = torch.bfloat16 if precision == "bf16" else torch.float16
    assert lower.image.dtype == lowered
    assert lower.text.dtype == (torch.float32 if precision == "mixed" else lowered)
