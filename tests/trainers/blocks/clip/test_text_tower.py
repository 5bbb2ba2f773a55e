"""A step whose memory runs out is taken once more, with half as many prompts at once and nothing else changed."""

import random
import weakref

import numpy as np
import pytest
import torch

from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.clip.chunks import AUTOMATIC, Chunks
from trainers.blocks.clip.graphs import TextGraphs
from trainers.blocks.clip.packing import layout
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.clip.whole_text import WholeTextEncoder

MODEL = random_clip(VIT, feature_dim=24, width=64).eval().requires_grad_(False)
PROMPTS = 8


@pytest.fixture(params=["short", "whole"])
def encoder(request):
    if request.param == "short":
        made = TextEncoder(MODEL)
    else:
        made = WholeTextEncoder(MODEL.encode_text, MODEL.token_embedding, clip_tokenizer(), layers=2)
    made.chunks = Chunks(AUTOMATIC, budget=2**40)
    return made


def step(encoder, context: torch.Tensor) -> torch.Tensor:
    """The loss of a step that draws random numbers of every kind; the context's gradient is made."""
    context.grad = None
    suffix = torch.randn(PROMPTS, 6, encoder.width)
    features = encoder(context, suffix, torch.full((PROMPTS,), 5))
    loss = (features * torch.randn(features.shape)).sum() * (1 + random.random() + np.random.rand())
    loss.backward()
    return loss.detach()


def seeded(context: torch.Tensor) -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    context.data = torch.linspace(-1, 1, context.numel()).view_as(context)


def full_when_going_back(monkeypatch, encoder, room: int) -> list[int]:
    """Memory is out where the gradient reaches more than `room` prompts at once; how many each call encoded."""
    name = "run_suffix" if isinstance(encoder, TextEncoder) else "run"
    run, sizes = getattr(encoder, name), []

    def out(gradient: torch.Tensor) -> None:
        if gradient[..., 0].numel() > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def watched(*arguments) -> torch.Tensor:
        features = run(*arguments)
        sizes.append(features[..., 0].numel())
        if features.requires_grad:
            features.register_hook(out)
        return features

    monkeypatch.setattr(encoder, name, watched)
    return sizes


def test_backward_pass_without_memory_leads_to_the_same_step_in_halves(encoder, monkeypatch, capsys):
    context = torch.zeros(1, 5, encoder.width, requires_grad=True)
    seeded(context)
    expected, gradient = encoder.within_memory(lambda: step(encoder, context)), context.grad
    drawn = torch.rand(1), random.random(), np.random.rand()
    sizes = full_when_going_back(monkeypatch, encoder, room=PROMPTS // 2)
    seeded(context)
    found = encoder.within_memory(lambda: step(encoder, context))
    torch.testing.assert_close((found, context.grad), (expected, gradient), atol=1e-5, rtol=1e-4)
    assert (torch.rand(1), random.random(), np.random.rand()) == drawn
    assert sizes == [8, 4, 4]
    assert "8 prompts at once is not there: 4 at once from here on (TRAINER.TEXT_CHUNK)" in capsys.readouterr().out
    encoder.within_memory(lambda: step(encoder, context))
    assert sizes[3:] == [4, 4]  # without another try


def test_a_step_whose_passes_are_graphs_is_taken_again_without_them(monkeypatch, capsys):
    encoder = TextEncoder(MODEL)
    encoder.chunks, encoder.graphs = Chunks(AUTOMATIC, budget=2**40), TextGraphs(encoder.run_whole, layout, imitated)
    context = torch.zeros(1, 5, encoder.width, requires_grad=True)
    for _ in range(3):  # the third time by a graph
        seeded(context)
        expected = encoder.within_memory(lambda: step(encoder, context))
    assert len(encoder.graphs.graphs) == 1
    backward, tried = torch.Tensor.backward, []

    def out_once(loss: torch.Tensor) -> None:
        tried.append(loss)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        backward(loss)

    monkeypatch.setattr(torch.Tensor, "backward", out_once)
    seeded(context)
    torch.testing.assert_close(encoder.within_memory(lambda: step(encoder, context)), expected, atol=1e-5, rtol=1e-4)
    assert "8 prompts at once is not there: 4 at once" in capsys.readouterr().out
    assert not encoder.graphs.graphs  # which have memory of their own


def imitated(run, samples: tuple):
    """Stands in for the capture of a CUDA graph."""
    return run


def test_nothing_of_the_first_try_is_held_in_the_second(encoder):
    held: list[weakref.ref] = []

    def run() -> bool:
        features = encoder(torch.zeros(1, 1, encoder.width), torch.zeros(2, 4, encoder.width), torch.tensor([3, 3]))
        held.append(weakref.ref(features))
        if len(held) == 1:
            raise MemoryError
        return held[0]() is None

    assert encoder.within_memory(run)


@pytest.mark.parametrize(
    ("chunks", "tries"), [(Chunks(AUTOMATIC, budget=2**40), 2), (Chunks(0), 1), (Chunks(PROMPTS), 1)]
)
def test_no_third_try_is_made_nor_a_second_against_the_users_wish(chunks, tries, encoder, monkeypatch):
    encoder.chunks, taken = chunks, []
    context = torch.zeros(1, 5, encoder.width, requires_grad=True)
    full_when_going_back(monkeypatch, encoder, room=1)

    def run() -> None:
        taken.append(1)
        step(encoder, context)

    with pytest.raises(torch.OutOfMemoryError):
        encoder.within_memory(run)
    assert len(taken) == tries


@pytest.mark.parametrize("error", [MemoryError(), ValueError("of another kind")])
def test_a_step_that_encodes_nothing_or_fails_otherwise_is_not_taken_again(error, encoder):
    taken = []

    def run() -> None:
        taken.append(1)
        raise error

    with pytest.raises(type(error)):
        encoder.within_memory(run)
    assert len(taken) == 1


def test_a_forward_pass_without_memory_leads_to_halves_in_a_tower_that_runs_whole(monkeypatch):
    encoder = WholeTextEncoder(MODEL.encode_text, MODEL.token_embedding, clip_tokenizer(), layers=2)
    encoder.chunks, sizes = Chunks(AUTOMATIC, budget=2**40), []
    prompts = torch.zeros(1, 2, 64), torch.randn(PROMPTS, 6, 64), torch.full((PROMPTS,), 5)
    tokens = clip_tokenizer()(["a cat", "a dog", "an emu", "a jay"])
    expected, wanted = encoder(*prompts), encoder.encode_tokens(tokens)

    def full(tokens: torch.Tensor) -> torch.Tensor:
        sizes.append(len(tokens))
        if len(tokens) > sizes[0] // 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return MODEL.encode_text(tokens)

    monkeypatch.setattr(encoder, "_encode", full)
    torch.testing.assert_close(encoder(*prompts), expected, atol=1e-5, rtol=1e-5)
    assert sizes == [8, 4, 4]
    encoder.chunks = Chunks(AUTOMATIC, budget=2**40)
    sizes.clear()
    torch.testing.assert_close(encoder.encode_tokens(tokens), wanted, atol=1e-5, rtol=1e-5)
    assert sizes == [4, 2, 2]
