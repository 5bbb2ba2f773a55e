"""The fast text encoder against CLIP's own, in values and gradients."""

import copy
from collections.abc import Callable

import clip
import pytest
import torch
from bench.plain import PlainTextEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cosine_similarity

from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.clip import packing, products
from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.chunks import Chunks
from trainers.blocks.clip.graphs import TextGraphs
from trainers.blocks.clip.packing import Packed, Padded, layout
from trainers.blocks.clip.text_encoder import TextEncoder

SOS, DOT, EOT = 49406, 269, 49407
MODEL = random_clip(VIT, feature_dim=24, width=128, layers=3).eval().requires_grad_(False)
ENCODER, PLAIN = TextEncoder(MODEL), PlainTextEncoder(MODEL)

tokens_of_name = st.lists(st.integers(1, 49000), min_size=1, max_size=20)
names = st.lists(tokens_of_name, min_size=1, max_size=6)
bounded = settings(max_examples=25, deadline=None, derandomize=True)


def prompts(names: list[list[int]], n_ctx: int) -> tuple[Tensor, Tensor]:
    """Token numbers (N, 77) of prompts with a context of made-up words, and the positions of their EOT."""
    tokens = torch.zeros(len(names), 77, dtype=torch.long)
    for row, name in zip(tokens, names, strict=True):
        words = [SOS, *range(320, 320 + n_ctx), *name, DOT, EOT]
        row[: len(words)] = torch.tensor(words)
    return tokens, tokens.argmax(dim=-1)


def relative(got: Tensor, expected: Tensor) -> float:
    return ((got - expected).norm() / expected.norm()).item()


@bounded
@given(names, st.integers(1, 16))
def test_features_of_tokens_equal_clips_own(names, n_ctx):
    tokens, _ = prompts(names, n_ctx)
    torch.testing.assert_close(ENCODER.encode_tokens(tokens), MODEL.encode_text(tokens), atol=1e-5, rtol=1e-5)


def check(arrange: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]], shape: tuple[int, ...], chunk: int) -> None:
    """Compares features and the context's gradients; `arrange` makes prefix, suffix and EOTs of a context."""
    start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    encoder = TextEncoder(MODEL)
    encoder.chunks = Chunks(chunk)
    results = []
    for path in (encoder, PlainTextEncoder(MODEL)):
        context = start.clone().requires_grad_()
        features = path(*arrange(context))
        (features * torch.linspace(-1, 1, features.numel()).view_as(features)).sum().backward()
        results.append((features.detach(), context.grad))
    (got, gradient), (expected, expected_gradient) = results
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert relative(gradient, expected_gradient) < 1e-4


@bounded
@given(names, st.integers(1, 16), st.integers(1, 4), st.integers(0, 5))
def test_shared_contexts_equal_the_plain_path_in_values_and_gradients(names, n_ctx, groups, chunk):
    """Contexts (G, M, W) that N class names share, as CoOp (G = 1) and CoCoOp have them."""
    tokens, eot = prompts(names, n_ctx)
    embeddings = MODEL.token_embedding(tokens)
    sos = embeddings[:1, :1].expand(groups, -1, -1)
    check(
        lambda context: (torch.cat([sos, context], dim=1), embeddings[:, 1 + n_ctx :], eot - 1 - n_ctx),
        (groups, n_ctx, 128),
        chunk,
    )


@bounded
@given(names, st.integers(1, 16), st.integers(0, 5))
def test_a_context_for_each_prompt_equals_the_plain_path_in_values_and_gradients(names, n_ctx, chunk):
    """Contexts (N, M, W) behind a shared SOS, as SHIP's generator writes them."""
    tokens, eot = prompts(names, n_ctx)
    embeddings = MODEL.token_embedding(tokens)
    check(
        lambda context: (embeddings[:1, :1], torch.cat([context, embeddings[:, 1 + n_ctx :]], dim=1), eot - 1),
        (len(names), n_ctx, 128),
        chunk,
    )


def test_the_plain_path_is_clips_own():
    tokens, eot = prompts([[400], [500, 600, 700]], 4)
    embeddings = MODEL.token_embedding(tokens)
    torch.testing.assert_close(PLAIN(embeddings[:1, :5], embeddings[:, 5:], eot - 5)[0], MODEL.encode_text(tokens))


def test_a_prompts_feature_does_not_depend_on_the_longest_of_its_batch():
    """Packed beside a long prompt, padded beside one of its own length: the same."""
    (short, _), (both, _) = prompts([[400]] * 6, 4), prompts([[400]] * 6 + [list(range(500, 520))], 4)
    torch.testing.assert_close(ENCODER.encode_tokens(short), ENCODER.encode_tokens(both)[:6], atol=1e-6, rtol=1e-5)


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
    tokens[0, 0], tokens[0, 1:length], tokens[0, length] = SOS, 320, EOT
    torch.testing.assert_close(ENCODER.encode_tokens(tokens), MODEL.encode_text(tokens), atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not products.THERE, reason="PyTorch has no oneDNN here, or not on x86")
def test_products_are_onednns_and_so_are_those_that_the_backward_pass_runs_again(monkeypatch):
    tokens, eot = prompts([[400], [500, 600, 700], [800], [900] * 9], 2)
    embeddings = MODEL.token_embedding(tokens)
    sos, encoder, asked = embeddings[:1, :1], TextEncoder(MODEL), []
    by_onednn = products.by_onednn

    def noted(x: Tensor, *others: Tensor) -> Tensor:
        asked.append(x)
        return by_onednn(x, *others)

    monkeypatch.setattr(products, "by_onednn", noted)

    def count(chunk: int) -> int:
        asked.clear()
        encoder.chunks = Chunks(chunk)
        encoder(sos, embeddings[:, 1:].clone().requires_grad_(), eot - 1).sum().backward()
        return len(asked)

    count(0)  # has what SOS comes to kept
    layers = len(MODEL.transformer.resblocks)
    products_once = 5 * layers  # queries, keys and values, what the heads gather, and two of the MLP
    assert count(0) == 2 * products_once  # forward and backward
    assert count(2) == 2 * 3 * products_once  # in two chunks, which are run again


@pytest.mark.parametrize("chunk", [0, 2])
@pytest.mark.parametrize("precision", ["fp16", "mixed", "bf16", "amp"])
def test_lower_precision_is_close_to_fp32_in_values_and_gradients(precision, chunk, clip_file):
    tokens, eot = prompts([[400], [500, 600, 700], [900] * 12], 4)

    def run(precision: str) -> tuple[Tensor, Tensor]:
        encoder = load_backbone(str(clip_file), precision, "cpu").text
        encoder.chunks = Chunks(chunk)
        start = torch.randn(1, 4, encoder.width, generator=torch.Generator().manual_seed(0))
        context = start.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "amp"):
            embeddings = encoder.embed(tokens)
            prefix = torch.cat([embeddings[:1, :1], context.type(encoder.dtype)], dim=1)
            features = encoder(prefix, embeddings[:, 5:], eot - 5)[0].float()
        features[:, 0].sum().backward()
        return features.detach(), context.grad

    (features, gradient), (expected, expected_gradient) = run(precision), run("fp32")
    assert cosine_similarity(features, expected).min() > 0.999
    assert cosine_similarity(gradient.flatten(), expected_gradient.flatten(), dim=0) > 0.99


def test_mixed_precision_computes_the_blocks_in_fp32_and_rounds_what_enters_and_leaves_them(clip_file):
    """SHIP's reference code on ImageNet, spelled out with CLIP's own modules over the whole window."""
    encoder = load_backbone(str(clip_file), "mixed", "cpu").text
    tokens = clip.tokenize(["a cat.", "a photo of a long haired airedale."])
    model = load_backbone(str(clip_file), "mixed", "cpu").model
    x = model.token_embedding(tokens).half() + model.positional_embedding.half()
    x = model.transformer(x.float().permute(1, 0, 2)).half().permute(1, 0, 2)
    x = model.ln_final(x.float()).half()[torch.arange(2), tokens.argmax(dim=-1)]
    features = encoder.encode_tokens(tokens)
    assert features.dtype == torch.float16
    torch.testing.assert_close(features, x @ model.text_projection.half(), atol=2e-3, rtol=2e-3)
    assert model.visual.conv1.weight.dtype == torch.float16
    assert {block.attn.in_proj_weight.dtype for block in encoder.blocks} == {torch.float32}


def sos_and_suffixes(encoder: TextEncoder) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    suffix = torch.randn(3, 5, 128, generator=draw)
    return encoder.embed(torch.tensor([[SOS]])), suffix, torch.tensor([4, 2, 3])


def test_what_sos_alone_comes_to_is_kept_while_nothing_changes(monkeypatch):
    encoder, runs = TextEncoder(copy.deepcopy(MODEL)), []
    run_prefix = encoder.run_prefix
    monkeypatch.setattr(encoder, "run_prefix", lambda prefix: runs.append(prefix) or run_prefix(prefix))
    sos, suffix, eot = sos_and_suffixes(encoder)
    first = encoder(sos, suffix, eot)
    assert torch.equal(encoder(sos, suffix, eot), first) and len(runs) == 1
    sos.add_(1)  # other embeddings in the same place
    assert not torch.equal(encoder(sos, suffix, eot), first) and len(runs) == 2
    encoder.blocks[0].attn.in_proj_weight.mul_(2)  # another tower
    assert len(runs) == 2
    encoder(sos, suffix, eot)
    assert len(runs) == 3


def test_gradients_flow_past_what_is_kept():
    encoder = TextEncoder(copy.deepcopy(MODEL))
    sos, suffix, eot = sos_and_suffixes(encoder)
    gradients = []
    for kept in (False, False, True):  # kept by the second call, used by the third
        if not kept:
            encoder._kept = None
        own = suffix.clone().requires_grad_()
        encoder(sos, own, eot).square().mul(torch.arange(24)).sum().backward()
        gradients.append(own.grad)
    assert torch.equal(gradients[0], gradients[1]) and torch.equal(gradients[1], gradients[2])


def test_what_is_learned_is_never_kept():
    encoder = TextEncoder(copy.deepcopy(MODEL))
    sos, suffix, eot = sos_and_suffixes(encoder)
    encoder(sos.requires_grad_(), suffix, eot)
    encoder.blocks.requires_grad_(True)
    encoder(sos.detach(), suffix, eot)
    assert encoder._kept is None


def test_layout_is_made_once_for_prompts_of_the_same_lengths(monkeypatch):
    """Copies to a device are made once, for chunks too, and a step with other lengths has others."""
    made = []
    monkeypatch.setattr(packing, "layout", lambda *about: made.append(about[0]) or layout(*about))
    encoder = TextEncoder(MODEL)
    encoder.chunks = Chunks(2)
    sos, suffix, eot = sos_and_suffixes(encoder)
    first = encoder(sos, suffix, eot)
    assert made == [(2, 3), (4,)]
    assert torch.equal(encoder(sos, suffix, eot), first) and len(made) == 2
    other = encoder(sos, suffix, torch.tensor([1, 2, 3]))
    assert made[2:] == [(1, 2), (3,)] and not torch.equal(other, first)


@pytest.mark.parametrize("groups", [1, 3])
def test_a_pass_with_padding_is_the_same(groups):
    """As a CUDA graph has it where lengths are others in every step; in values and gradients."""
    torch.manual_seed(0)
    encoder = TextEncoder(MODEL)
    eot, results = torch.tensor([8, 1, 2, 2]), []  # so unlike that prompts are packed otherwise
    prefix, suffix = torch.randn(groups, 5, encoder.width), torch.randn(4, 9, encoder.width)
    runs = (encoder, eot), (encoder.run_whole, Padded(eot.repeat(groups), encoder.device))
    for run, lengths in runs:
        inputs = prefix.clone().requires_grad_(), suffix.clone().requires_grad_()
        features = run(*inputs, lengths)
        features.square().sum().backward()
        results.append((features, *(one.grad for one in inputs)))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert isinstance(layout(eot.tolist(), 9, encoder.device), Packed)


def test_passes_whose_shapes_repeat_are_captured(monkeypatch):
    encoder = TextEncoder(MODEL)
    capture = lambda run, samples: captured.append(samples) or run  # noqa: E731
    encoder.graphs = TextGraphs(encoder.run_whole, layout, capture)
    captured, inputs = [], (torch.randn(1, 5, encoder.width), torch.randn(4, 9, encoder.width), torch.tensor([8] * 4))
    features = [encoder(*inputs) for _ in range(4)]
    assert len(captured) == 1
    for one in features[1:]:
        torch.testing.assert_close(one, features[0], rtol=1e-4, atol=1e-5)
    encoder.chunks = Chunks(2)
    encoder(*inputs)
    assert len(captured) == 1
