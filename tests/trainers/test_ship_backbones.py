"""SHIP on small CLIPs of both families, whose features have other dimensions than their text towers' widths."""

import pytest
import torch
from dassl.engine import build_trainer
from dassl.utils import set_random_seed

import train
from tests.conftest import CHECKOUT

SHORT = "OPTIM.MAX_EPOCH 1 TRAINER.SHIP.OPTIM.MAX_EPOCH 1 TRAINER.FEATURES.VIEWS 1 DATALOADER.NUM_WORKERS 0".split()


@pytest.fixture
def build(pets, clip_file, tmp_path):
    """Builds a SHIP trainer in this process, on the base classes of the tiny OxfordPets."""

    def of(*pairs: object):
        arguments = [
            *("--root", pets, "--seed", 1, "--trainer", "SHIP", "--output-dir", tmp_path / "run"),
            *("--backbone", clip_file, "--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
            *("DATASET.NUM_SHOTS", 4, "DATASET.SUBSAMPLE_CLASSES", "base", "INPUT.SIZE", "(32, 32)", *SHORT, *pairs),
        ]
        cfg = train.setup_cfg(train.parse_args([str(word) for word in arguments]))
        set_random_seed(1)
        return build_trainer(cfg)

    return of


@pytest.mark.parametrize("classifier", ["CoOp", "CoCoOp", "CLIPAdapter", "TipAdapterF"])
def test_trains_where_feature_dimension_and_text_width_differ(classifier, build):
    trainer = build("TRAINER.SHIP.CLASSIFIER", classifier, "TRAINER.SHIP.PREC", "fp32")
    assert trainer.backbone.feature_dim != trainer.backbone.text.width
    trainer.train()
    assert trainer.synthesizer.sample(2)[0].shape == (2, trainer.backbone.feature_dim)


def test_bf16_trains_near_fp32(build, tmp_path):
    text = {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        trainer = build("TRAINER.SHIP.PREC", precision, "OUTPUT_DIR", tmp_path / precision)
        assert trainer.backbone.text.dtype == dtype
        text[precision] = trainer.backbone.encode_prompts(*trainer.classifier.learned())[0]
        trainer.train()
        assert all(torch.isfinite(parameter).all() for parameter in trainer.classifier.learned.parameters())
    assert torch.cosine_similarity(text["fp32"], text["bf16"]).min() > 0.999


@pytest.mark.parametrize("precision", ["fp16", "amp"])
def test_precision_that_needs_a_gpu_falls_back_and_says_so_once(precision, build, capsys):
    trainer = build("TRAINER.SHIP.PREC", precision, "USE_CUDA", False)
    trainer.train()
    assert trainer.backbone.text.dtype == torch.float32
    assert capsys.readouterr().out.count(f"Precision {precision} needs a GPU: running in fp32 on cpu") == 1
