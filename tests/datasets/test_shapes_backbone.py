"""The backbone that comes with `shapes`: small, in OpenAI's layout, and it knows the classes."""

from pathlib import Path

import clip
import numpy as np
import pytest
import torch
from clip.model import build_model
from torch.nn.functional import normalize

from datasets.shapes_classes import DEV_CLASSES, NOUNS
from datasets.shapes_render import render

FILE = Path(__file__).resolve().parents[2] / "datasets/assets/shapes_clip.pt"
UNUSED_STREAM = 9  # of the renderer: neither trained nor reported on
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture(scope="module")
def state():
    return torch.load(FILE, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def model(state):
    return build_model(dict(state)).float().eval()


@torch.no_grad()
def accuracy(model, domain, names, per_class=6):
    pixels = np.stack([render(name, domain, UNUSED_STREAM, i)[0] for name in names for i in range(per_class)])
    images = (torch.from_numpy(pixels) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    text = normalize(model.encode_text(clip.tokenize([f"a photo of a {name}." for name in names])), dim=-1)
    found = (model.encode_image(images.permute(0, 3, 1, 2)) @ text.T).argmax(dim=1)
    return (found == torch.arange(len(names)).repeat_interleave(per_class)).float().mean().item()


def test_the_file_is_small():
    assert FILE.stat().st_size < 4.5e6


def test_it_has_openais_layout_in_fp16(model, state):
    assert (model.visual.input_resolution, model.context_length, model.vocab_size) == (64, 77, 49408)
    assert model.text_projection.shape == (128, 128)
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    assert all(value.isfinite().all() for value in state.values())


def test_only_tokens_of_captions_have_a_row(state):
    used = state["token_embedding.weight"].abs().sum(dim=1) > 0
    assert 99 < used.sum() < 250
    assert all(used[clip.tokenize(f"a photo of a {name}.")[0, 1:6].long()].all() for name in NOUNS)


def test_token_rows_and_logit_scale_are_in_the_range_of_openais(model, state):
    rows = state["token_embedding.weight"].float().norm(dim=1)
    assert rows[rows > 0].mean() == pytest.approx(0.2, abs=0.01)
    assert 49 < model.logit_scale.exp() <= 100


@pytest.mark.parametrize("names", [DEV_CLASSES[:25], DEV_CLASSES[25:]])
def test_it_beats_chance_clearly_without_any_training(model, names):
    assert accuracy(model, "pretrain", names) > 0.5
    assert accuracy(model, "rare", names) > 0.25
