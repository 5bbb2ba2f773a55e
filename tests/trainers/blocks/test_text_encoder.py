"""The fast text encoder against CLIP's own, in values and gradients."""

import clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.text_encoder import TextEncoder

WORDS = ["cat", "airedale", "xylophone", "a", "of", "centrifuge", "blueish", "zyx"]
MODEL = random_clip(VIT, feature_dim=24, width=128, layers=3).eval().requires_grad_(False)
ENCODER = TextEncoder(MODEL)


def encode_embeddings(prompts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """CLIP's modules over all 77 positions of prompts given as embeddings (N, 77, W): the plain path."""
    x = (prompts + MODEL.positional_embedding).permute(1, 0, 2)
    x = MODEL.ln_final(MODEL.transformer(x).permute(1, 0, 2))
    return x[torch.arange(len(x)), tokens.argmax(dim=-1)] @ MODEL.text_projection


def relative(got: torch.Tensor, expected: torch.Tensor) -> float:
    return ((got - expected).norm() / expected.norm()).item()


names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)


@settings(max_examples=25, deadline=None)
@given(st.lists(names, min_size=1, max_size=6))
def test_features_of_tokens_equal_clips_own(texts):
    tokens = clip.tokenize(texts)
    torch.testing.assert_close(ENCODER.encode_tokens(tokens), MODEL.encode_text(tokens), atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(names, min_size=1, max_size=6), st.integers(1, 16))
def test_shared_context_equals_the_plain_path_in_values_and_gradients(texts, n_ctx):
    tokens = clip.tokenize([" ".join(["X"] * n_ctx) + f" {text}." for text in texts])
    embeddings = MODEL.token_embedding(tokens)
    start = torch.randn(n_ctx, ENCODER.width, generator=torch.Generator().manual_seed(n_ctx))
    fast, plain = start.clone().requires_grad_(), start.clone().requires_grad_()

    prefix = torch.cat([embeddings[:1, :1], fast[None]], dim=1)
    got = ENCODER(prefix, embeddings[:, 1 + n_ctx :], tokens.argmax(dim=-1) - 1 - n_ctx)[0]
    context = plain.expand(len(texts), -1, -1)
    expected = encode_embeddings(torch.cat([embeddings[:, :1], context, embeddings[:, 1 + n_ctx :]], dim=1), tokens)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)

    weights = torch.randn_like(expected)
    (got * weights).sum().backward()
    (expected * weights).sum().backward()
    assert relative(fast.grad, plain.grad) < 1e-4


def test_several_prefixes_equal_one_at_a_time():
    tokens = clip.tokenize(["a photo of a cat.", "a photo of a long haired airedale."])
    embeddings = MODEL.token_embedding(tokens)
    prefixes = torch.randn(3, 5, ENCODER.width)
    eot = tokens.argmax(dim=-1) - 5
    together = ENCODER(prefixes, embeddings[:, 5:], eot)
    alone = [ENCODER(prefix[None], embeddings[:, 5:], eot)[0] for prefix in prefixes]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-5, rtol=1e-5)


def test_tokens_behind_eot_have_no_influence():
    tokens = clip.tokenize(["a cat.", "a photo of a long haired airedale."])
    embeddings = MODEL.token_embedding(tokens)
    eot = tokens.argmax(dim=-1) - 1
    spoiled = embeddings.clone()
    spoiled[0, eot[0] + 2 :] = 1e3
    torch.testing.assert_close(
        ENCODER(embeddings[:1, :1], spoiled[:, 1:], eot), ENCODER(embeddings[:1, :1], embeddings[:, 1:], eot)
    )


@pytest.mark.parametrize("length", [1, 76])
def test_shortest_and_longest_prompts_fit(length):
    tokens = torch.zeros(1, 77, dtype=torch.long)
    tokens[0, 0], tokens[0, 1:length], tokens[0, length] = 49406, 320, 49407
    torch.testing.assert_close(ENCODER.encode_tokens(tokens), MODEL.encode_text(tokens), atol=1e-5, rtol=1e-5)
