"""What backbones by other libraries have in common."""

import pytest
import requests
import torch
from torch import Tensor, nn

from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.clip import libraries
from trainers.blocks.clip.libraries import answers, fingerprint_of, hub, refusing, text_encoder_of
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.clip.whole_text import WholeTextEncoder
from trainers.blocks.errors import InputError

MODEL = random_clip(VIT, feature_dim=24, width=64).eval().requires_grad_(False)
TOKENIZER = clip_tokenizer()


def encoder_of(encode, embedding=MODEL.token_embedding):
    return text_encoder_of(encode, embedding, TOKENIZER, 2, lambda: TextEncoder(MODEL))


def test_the_fast_encoder_is_taken_where_it_gives_the_towers_features():
    assert isinstance(encoder_of(MODEL.encode_text), TextEncoder)


def test_the_whole_tower_is_taken_where_the_fast_encoder_gives_others():
    """A tower that reads what stands behind the prompt, which the fast encoder leaves out."""

    def encode(tokens: Tensor) -> Tensor:
        return MODEL.encode_text(tokens) + MODEL.token_embedding(tokens)[:, -1, :24]

    assert isinstance(encoder_of(encode), WholeTextEncoder)


def test_a_tower_that_reads_token_numbers_beside_their_embeddings_is_refused():
    def encode(tokens: Tensor) -> Tensor:
        return MODEL.encode_text(tokens) + tokens.float().mean(dim=1, keepdim=True)

    with pytest.raises(InputError, match="cannot take a context"):
        encoder_of(encode)


def test_a_tower_without_a_table_of_embeddings_is_refused():
    with pytest.raises(InputError, match="no table of embeddings"):
        encoder_of(MODEL.encode_text, nn.Linear(2, 2))


def test_fingerprints_differ_by_weights_and_by_what_is_said(monkeypatch):
    monkeypatch.setattr(libraries, "SAMPLED", 10)
    torch.manual_seed(0)
    model = nn.Linear(100, 3)
    first = fingerprint_of(model, "a")
    assert first == fingerprint_of(model, "a") != fingerprint_of(model, "b")
    model.bias.data[1] += 1e-3
    assert fingerprint_of(model, "a") != first


def test_a_hub_that_does_not_answer_is_asked_once_and_not_waited_for(monkeypatch):
    import huggingface_hub.constants as constants

    asked = []

    def head(address: str, timeout: float) -> None:
        asked.append(address)
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", head)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    answers.cache_clear()
    try:
        for _ in range(2):
            with hub():
                assert constants.HF_HUB_OFFLINE
            with hub(asked=False):
                assert not constants.HF_HUB_OFFLINE
        assert asked == [constants.ENDPOINT] and not constants.HF_HUB_OFFLINE
    finally:
        answers.cache_clear()


def test_a_librarys_error_becomes_one_line_and_want_of_memory_stays_what_it_is():
    with pytest.raises(InputError, match=r"^it cannot be used \(what is wrong\.\)$"), refusing("it cannot be used"):
        raise OSError("what is wrong. And more on that\nin many lines")
    with pytest.raises(InputError, match="^it cannot be used: it is bad$"), refusing("it cannot be used"):
        raise InputError("it is bad")
    with pytest.raises(MemoryError), refusing("it cannot be used"):
        raise MemoryError
