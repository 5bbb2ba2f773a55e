"""Where images are encoded in bf16, and what that does to their features."""

import pytest
import torch

from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.clip.precision import encodes_in_bf16
from trainers.blocks.clip.text_encoder import _attend_in_products
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


@pytest.mark.parametrize(
    ("key", "what"), [("TRAINER.FEATURES.IMAGE_PREC", "images"), ("TRAINER.TEXT_PREC", "prompts")]
)
@pytest.mark.parametrize("able", [True, False])
def test_bf16_needs_a_cpu_that_computes_in_it(able, key, what, monkeypatch, capsys):
    for part in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{part}_supported", lambda: able, raising=False)
    assert encodes_in_bf16(key, "bf16", CPU) == able
    assert (f"{what} are encoded in the run's precision" in capsys.readouterr().out) != able


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


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "mixed"])
def test_prompts_in_bf16_are_near_fp32_and_their_contexts_have_gradients_in_fp32(precision, clip_file):
    """Whatever precision the weights were in; norms and what passes from block to block are in fp32."""
    draw = torch.Generator().manual_seed(0)
    exact, rounded = (load_backbone(str(clip_file), name, CPU).text for name in ("fp32", precision))
    rounded.cast(torch.bfloat16)
    assert {block.ln_1.weight.dtype for block in rounded.blocks} == {torch.float32} == {rounded.blocks_dtype}
    prefix, suffix = torch.randn(2, 5, exact.width, generator=draw), torch.randn(7, 6, exact.width, generator=draw)
    found = []
    for encoder in (exact, rounded):
        context = prefix.clone().requires_grad_()
        features = encoder(context, suffix, torch.tensor([5, 1, 2, 3, 4, 5, 2]))
        features.float()[..., 0].sum().backward()
        found.append((features.detach().float().flatten(0, 1), context.grad.flatten(1)))
    assert found[1][1].dtype == torch.float32 and not torch.equal(found[0][0], found[1][0])
    assert all(torch.cosine_similarity(*pair).min() > 0.999 for pair in zip(*found, strict=True))


def test_attention_of_products_is_pytorchs():
    """In fp32, where both can be compared, with a mask, values and gradients."""
    draw = torch.Generator().manual_seed(0)
    drawn = [torch.randn(3, 2, length, 16, generator=draw) for length in (4, 6, 6)]
    mask = torch.full((4, 6), float("-inf")).triu(3)
    found = []
    for attend in (torch.nn.functional.scaled_dot_product_attention, _attend_in_products):
        inputs = [part.clone().requires_grad_() for part in drawn]
        out = attend(*inputs, attn_mask=mask)
        out.square().sum().backward()
        found.append([out.detach(), *(part.grad for part in inputs)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_amps_images_are_encoded_in_fp16(clip_file):
    """To the bits of PREC fp16, whose tower casts nothing."""
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    amp, fp16 = (load_backbone(str(clip_file), precision, CPU) for precision in ("amp", "fp16"))
    assert amp.model.visual.conv1.weight.dtype == torch.float16
    assert torch.equal(amp.encode_image(images), fp16.encode_image(images))
    assert amp.text.autocast == torch.float16 and fp16.text.autocast is None
