"""Where images are encoded in bf16, and what that does to their features."""

import pytest
import torch

from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.precision import encodes_in_bf16
from trainers.blocks.errors import InputError

CPU = torch.device("cpu")


def test_bf16_images_have_nearly_the_features_of_fp32_ones(clip_file):
    backbone = load_backbone(str(clip_file), "fp32", CPU)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    exact = backbone.encode_image(images)
    backbone.image.in_bf16 = True
    rounded = backbone.encode_image(images)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert (rounded * exact).sum(dim=-1).min() > 0.999


def test_by_default_images_have_the_precision_of_the_run():
    assert not encodes_in_bf16("TRAINER.FEATURES.IMAGE_PREC", "", CPU)


@pytest.mark.parametrize("able", [True, False])
def test_bf16_images_need_a_cpu_that_computes_in_it(able, monkeypatch, capsys):
    for part in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{part}_supported", lambda: able, raising=False)
    assert encodes_in_bf16("TRAINER.FEATURES.IMAGE_PREC", "bf16", CPU) == able
    assert ("in the run's precision" in capsys.readouterr().out) != able


def test_other_precisions_are_refused():
    with pytest.raises(InputError, match="IMAGE_PREC is 'fp8'"):
        encodes_in_bf16("TRAINER.FEATURES.IMAGE_PREC", "fp8", CPU)


def test_amp_casts_the_text_towers_weights_once_to_the_bits_of_autocast(clip_file):
    """On the CPU in bf16: features and gradients of PyTorch's autocast over weights in fp32."""
    draw = torch.Generator().manual_seed(0)
    every_call, once = (load_backbone(str(clip_file), "fp32", CPU).text for _ in range(2))
    once.cast(torch.bfloat16)
    contexts = [torch.randn(1, 5, once.width, generator=draw).requires_grad_() for _ in range(2)]
    contexts[1].data = contexts[0].data.clone()
    suffix, eot = torch.randn(7, 6, once.width, generator=draw), torch.tensor([5, 1, 2, 3, 4, 5, 2])
    with torch.autocast("cpu", torch.bfloat16):
        expected = every_call(contexts[0], suffix, eot)
    expected.float().square().sum().backward()
    found = once(contexts[1], suffix, eot)  # outside of autocast, as images' and synthesized features are made
    found.float().square().sum().backward()
    assert torch.equal(found, expected) and torch.equal(contexts[1].grad, contexts[0].grad)
    assert once.blocks[0].attn.in_proj_weight.dtype == torch.bfloat16
    assert once.blocks_dtype == once.dtype == torch.float32


def test_amps_images_are_encoded_in_fp16(clip_file):
    """To the bits of PREC fp16, whose tower casts nothing."""
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    amp, fp16 = (load_backbone(str(clip_file), precision, CPU) for precision in ("amp", "fp16"))
    assert amp.model.visual.conv1.weight.dtype == torch.float16
    assert torch.equal(amp.encode_image(images), fp16.encode_image(images))
    assert amp.text.autocast == torch.float16 and fp16.text.autocast is None
