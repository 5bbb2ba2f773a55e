"""GELU and QuickGELU are told apart by what is asked for, or by a configuration beside the weights."""

import json

import pytest
import torch
import torch.nn.functional as F

from trainers.blocks.clip.activation import activation_beside
from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.errors import InputError

CPU = "cpu"
OPEN_CLIP = {"model_cfg": {"embed_dim": 24, "vision_cfg": {}, "text_cfg": {}}}


def quick(config: dict) -> dict:
    return {"model_cfg": {**config["model_cfg"], "quick_gelu": True}}


@pytest.mark.parametrize(
    ("name", "config", "activation"),
    [
        (None, None, "quick_gelu"),
        ("open_clip_config.json", OPEN_CLIP, "gelu"),
        ("open_clip_config.json", quick(OPEN_CLIP), "quick_gelu"),
        ("weights.json", OPEN_CLIP["model_cfg"], "gelu"),
        ("config.json", {"text_config": {"hidden_act": "gelu"}}, "gelu"),
        ("config.json", {"text_config": {"hidden_act": "quick_gelu"}}, "quick_gelu"),
        ("config.json", {"learning_rate": 1}, "quick_gelu"),
        ("config.json", ["of something else"], "quick_gelu"),
    ],
)
def test_a_configuration_beside_the_weights_says_which(name, config, activation, tmp_path):
    if name:
        (tmp_path / name).write_text(json.dumps(config), encoding="utf-8")
    assert activation_beside(tmp_path / "weights.pt") == activation


def test_a_configuration_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json lies beside the backbone.*MODEL\.BACKBONE\.ACTIVATION"):
        activation_beside(tmp_path / "weights.pt")


@pytest.mark.parametrize(("asked", "function"), [("gelu", F.gelu), ("", lambda x: x * torch.sigmoid(1.702 * x))])
def test_blocks_of_both_towers_have_the_activation(asked, function, clip_file):
    model = load_backbone(str(clip_file), "fp32", CPU, asked).model
    x = torch.randn(5, generator=torch.Generator().manual_seed(0))
    blocks = [module for name, module in model.named_modules() if name.endswith("mlp.gelu")]
    assert len(blocks) == 3 if hasattr(model.visual, "transformer") else 2
    for block in blocks:
        torch.testing.assert_close(block(x), function(x))


def test_another_activation_is_another_backbone_with_other_features(clip_file):
    quick, gelu = (load_backbone(str(clip_file), "fp32", CPU, activation) for activation in ("quick_gelu", "gelu"))
    assert quick.identity["backbone"] == load_backbone(str(clip_file), "fp32", CPU).identity["backbone"]
    assert quick.identity["backbone"] != gelu.identity["backbone"]
    features = [some.text_features(["cat"], ["a {}"]) for some in (quick, gelu)]
    assert (features[0] - features[1]).abs().max() > 1e-3


def test_a_run_says_which_it_has(train_py):
    for pairs, said in (((), "quick_gelu"), (("MODEL.BACKBONE.ACTIVATION", "gelu"), "gelu")):
        run = train_py("ZeroshotCLIP", said, *pairs, flags=("--eval-only",))
        assert f"Activation: {said}\n" in run.stdout, run.stderr


def test_an_activation_that_does_not_exist_is_refused(train_py):
    run = train_py("ZeroshotCLIP", "run", "MODEL.BACKBONE.ACTIVATION", "relu", flags=("--eval-only",))
    assert run.status == 2
    assert "MODEL.BACKBONE.ACTIVATION is 'relu'" in run.stderr
