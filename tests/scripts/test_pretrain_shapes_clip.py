"""The pre-training script of the embedded backbone, end to end at toy size."""

import subprocess
import sys
from pathlib import Path

import torch
from clip.model import build_model

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/pretrain_shapes_clip.py"
TOY = "--pictures 99 --test-pictures 1 --image-steps 2 --text-steps 2 --joint-steps 2 --batch 8 --threads 1".split()


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=300
    )


def test_it_writes_a_clip_checkpoint_and_says_when_it_has(tmp_path):
    output = tmp_path / "assets/clip.pt"
    result = run(*TOY, "--logit-scale", 40, "--output", output)
    assert "Finished in" in result.stdout and str(output) in result.stdout
    assert "zero-shot on rare pictures, new half of ShapesDev's classes" in result.stdout
    assert [path.name for path in output.parent.iterdir()] == ["clip.pt"]
    model = build_model(torch.load(output, weights_only=True))
    assert model.visual.input_resolution == 64
    assert abs(model.logit_scale.exp().item() - 40) < 0.1


def test_help_names_the_options():
    assert "--logit-scale" in run("--help").stdout
