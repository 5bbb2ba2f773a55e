"""Passes through the text tower as CUDA graphs: values, gradients and whole runs as without them."""

import json
from pathlib import Path

import pytest
import torch

from tests.conftest import in_this_process
from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.graphs import BEFORE

PROMPTS = 6
LENGTHS = {  # positions of EOT in each step
    "alike": lambda step: torch.full((PROMPTS,), 9),
    "packed": lambda step: torch.tensor([9, 1, 2, 0, 3, 1]),
    "drawn": lambda step: torch.cat([torch.tensor([9]), torch.randint(10, (PROMPTS - 1,))]),
}


@pytest.fixture(autouse=True)
def needs_cuda(device):
    if device.type != "cuda":
        pytest.skip("CUDA graphs need a GPU")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "mixed"])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("learned", ["prefix", "suffix", "nothing"])
def test_features_and_gradients_of_a_replayed_pass(precision, lengths, learned, clip_file, device):
    plain, graphed = (load_backbone(str(clip_file), precision, device).text for _ in range(2))
    graphed.use_graphs()
    for step in range(BEFORE + 3):
        torch.manual_seed(step)
        eot, results = LENGTHS[lengths](step), []
        inputs = torch.randn(1, 5, plain.width, device=device), torch.randn(PROMPTS, 10, plain.width, device=device)
        for text in (plain, graphed):
            prefix, suffix = (one.to(text.dtype).clone() for one in inputs)
            prefix.requires_grad_(learned == "prefix")
            suffix.requires_grad_(learned == "suffix")
            features = text(prefix, suffix, eot)
            if learned != "nothing":
                features.float().square().sum().backward()
            results.append([features, *(one.grad for one in (prefix, suffix) if one.grad is not None)])
        tolerance = 1e-4 if precision == "fp32" else 3e-2
        for found, expected in zip(*results, strict=True):
            apart = (found.float() - expected.float()).norm() / expected.float().norm()
            assert apart <= tolerance, (step, float(apart))
    assert len(graphed.graphs.graphs) == 1 and graphed.graphs.able


def test_a_second_pass_before_going_back_does_not_run_over_the_first(clip_file, device):
    plain, graphed = (load_backbone(str(clip_file), "fp32", device).text for _ in range(2))
    graphed.use_graphs()
    suffix, eot = torch.randn(PROMPTS, 10, plain.width, device=device), LENGTHS["packed"](0)
    draws = [torch.randn(1, 5, plain.width, device=device) for _ in range(2)]
    for _ in range(BEFORE + 2):
        found, expected = ([], [])
        for text, gradients in ((plain, expected), (graphed, found)):
            prefixes = [one.clone().requires_grad_() for one in draws]
            sum(text(one, suffix, eot).square().sum() for one in prefixes).backward()
            gradients += [one.grad for one in prefixes]
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("trainer", ["CoOp", "SHIP"])
def test_a_run_with_graphs_has_the_losses_of_one_without(trainer, words):
    """Up to rounding, which grows over a run: by the means of the first epochs, which are all of it."""
    results = []
    for graphs in (False, True):
        pairs = (f"TRAINER.{trainer.upper()}.PREC", "fp32", "TRAINER.TEXT_GRAPHS", graphs, "OPTIM.MAX_EPOCH", 2)
        given = words(trainer, f"graphs-{graphs}", *pairs, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 4)
        status, out, error = in_this_process(given)
        assert status == 0, f"{out[-2000:]}\n{error[-2000:]}"
        assert "No CUDA graph" not in out
        folder = Path(given[given.index("--output-dir") + 1])
        results.append(json.loads((folder / "results.json").read_text(encoding="utf-8"))["training"])
    for stage, means in results[0].items():
        assert results[1][stage]["loss"] == pytest.approx(means["loss"], rel=1e-2), stage
