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
    assert not encodes_in_bf16("", CPU)


@pytest.mark.parametrize("able", [True, False])
def test_bf16_images_need_a_cpu_that_computes_in_it(able, monkeypatch, capsys):
    for part in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{part}_supported", lambda: able, raising=False)
    assert encodes_in_bf16("bf16", CPU) == able
    assert ("in the run's precision" in capsys.readouterr().out) != able


def test_other_precisions_are_refused():
    with pytest.raises(InputError, match="IMAGE_PREC is 'fp8'"):
        encodes_in_bf16("fp8", CPU)
