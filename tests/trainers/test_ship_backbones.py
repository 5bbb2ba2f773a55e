"""SHIP on small CLIPs of both families, whose features have other dimensions than their text towers' widths."""

import pytest
import torch


@pytest.mark.parametrize("classifier", ["CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF"])
def test_trains_where_feature_dimension_and_text_width_differ(classifier, ship, clip_file):
    trainer = ship("TRAINER.SHIP.CLASSIFIER", classifier, "INPUT.SIZE", "(32, 32)", backbone=clip_file)
    assert trainer.backbone.feature_dim != trainer.backbone.text.width
    trainer.train()
    assert trainer.synthesizer.sample(torch.tensor([0, 1])).shape == (2, trainer.backbone.feature_dim)


def test_bf16_trains_near_fp32(ship, clip_file):
    text = {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        pairs = ("TRAINER.SHIP.PREC", precision, "INPUT.SIZE", "(32, 32)")
        trainer = ship(*pairs, backbone=clip_file, folder=precision)
        assert trainer.backbone.text.dtype == dtype
        text[precision] = trainer.backbone.encode_prompts(*trainer.classifier.learned())[0]
        trainer.train()
        assert all(torch.isfinite(parameter).all() for parameter in trainer.classifier.learned.parameters())
    assert torch.cosine_similarity(text["fp32"], text["bf16"]).min() > 0.999


@pytest.mark.parametrize("precision", ["fp16", "amp", "mixed"])
def test_precision_that_needs_a_gpu_falls_back_and_says_so_once(precision, ship, capsys):
    trainer = ship("TRAINER.SHIP.PREC", precision, "USE_CUDA", False)
    trainer.train()
    assert trainer.backbone.text.dtype == torch.float32
    assert capsys.readouterr().out.count(f"Precision {precision} needs a GPU: running in fp32 on cpu") == 1
