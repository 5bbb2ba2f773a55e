"""Where a device's memory is out: fewer prompts at once, or a message with the option that helps."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import torch

from tests.conftest import in_this_process
from tests.trainers.conftest import VIT, random_clip
from trainers.blocks.clip import text_encoder
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.clip.chunks import AUTOMATIC, Chunks
from trainers.blocks.clip.openai import parts_of
from trainers.blocks.training.feature_trainer import FeatureTrainer

PROMPTS, LONG, WIDTH = 2048, 60, 256


@pytest.fixture
def backbone(device) -> Backbone:
    return Backbone(parts_of(random_clip(VIT, feature_dim=64, width=WIDTH).to(device)), {})


@pytest.fixture
def limited(device, monkeypatch) -> Iterator[Callable[[int, int], None]]:
    """Leaves room for so many bytes on a GPU; on the CPU, for so many prompts at once."""
    taken: list[torch.Tensor] = []

    def leave(room: int, prompts: int) -> None:
        if device.type == "cuda":
            torch.cuda.empty_cache()
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + room) / total)
            if not room:
                take_all(taken, device)
            return
        run = text_encoder.TextEncoder.run_suffix

        def full(self, past, suffix, ends):
            if len(past[0][0]) * len(suffix) > prompts:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return run(self, past, suffix, ends)

        monkeypatch.setattr(text_encoder.TextEncoder, "run_suffix", full)

    yield leave
    taken.clear()
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(1.0)


def take_all(taken: list[torch.Tensor], device: torch.device) -> None:
    """Takes what is left in blocks that PyTorch has reserved, too."""
    for size in (2**24, 2**20, 2**16, 2**9):
        with suppress(torch.OutOfMemoryError):
            while True:
                taken.append(torch.empty(size, dtype=torch.uint8, device=device))


def step(backbone: Backbone, prompts: int) -> torch.Tensor:
    """Features of so many prompts that follow one context, whose gradient is made too."""
    draw = torch.Generator().manual_seed(0)
    context = torch.randn(1, 5, WIDTH, generator=draw).to(backbone.device).requires_grad_()
    suffix = torch.randn(prompts, LONG, WIDTH, generator=draw).to(backbone.device)
    features = backbone.encode_prompts(context, suffix, torch.full((prompts,), LONG - 1))
    features.square().sum().backward()
    return features.detach()


def peak(backbone: Backbone, prompts: int) -> int:
    """Bytes that the step takes on a GPU above what is in use."""
    if backbone.device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step(backbone, prompts)
    return torch.cuda.max_memory_allocated() - before


def test_half_as_many_prompts_are_encoded_where_not_all_find_room(backbone, limited, device, capsys):
    """On a GPU memory may run out in either pass."""
    prompts = PROMPTS if device.type == "cuda" else 8
    expected, room = step(backbone, prompts), peak(backbone, prompts)
    backbone.text.chunks = Chunks(AUTOMATIC, budget=2**50)  # an estimate that is too good
    limited(int(0.8 * room), prompts // 2)
    found = backbone.text.within_memory(lambda: step(backbone, prompts))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert f"{prompts // 2:,} at once from here on (TRAINER.TEXT_CHUNK)" in capsys.readouterr().out


def test_a_step_without_memory_ends_the_run_with_the_option_that_helps(limited, words, monkeypatch):
    run_stage = FeatureTrainer.run_stage

    def short_of_memory(self, *arguments) -> None:
        limited(0, 0)
        run_stage(self, *arguments)

    monkeypatch.setattr(FeatureTrainer, "run_stage", short_of_memory)
    status, _, said = in_this_process(words("CoOp", "full", "TRAINER.TEXT_CHUNK", 0))
    assert status == 2 and "Traceback" not in said
    assert "There is not enough memory for a step of CoOp" in said and "TRAINER.TEXT_CHUNK (now 0)" in said
