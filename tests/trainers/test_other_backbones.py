"""Runs on backbones of open_clip and transformers: whole, and step by step as on the same weights through clip."""

from pathlib import Path

import clip
import open_clip
import pytest
import torch
import transformers
from bench.plain import recorded_losses
from clip.model import CLIP
from dassl.utils import set_random_seed

from tests.trainers import other_clips
from trainers.blocks.clip.backbone import Backbone, load_backbone
from trainers.blocks.clip.tokenizer import byte_pairs
from trainers.blocks.errors import InputError
from trainers.blocks.training import feature_trainer

VIEWS = ("TRAINER.FEATURES.VIEWS", 1)
SIZE = ("INPUT.SIZE", "(32, 32)")  # which a file in OpenAI's layout does not set by itself
KINDS = {  # by transformers: what no fast text path is exact for
    "open_clip": lambda folder: other_clips.by_open_clip("gelu", folder),
    "siglip": lambda folder: other_clips.by_transformers("siglip", folder),
}
TWINS = ("clip", "open_clip", "hf")


@pytest.fixture(scope="module", params=KINDS)
def other(request, tmp_path_factory) -> str:
    return KINDS[request.param](tmp_path_factory.mktemp(request.param)).name


@pytest.fixture(scope="module")
def twins(tmp_path_factory) -> dict[str, str]:
    """Names of one random model in OpenAI's layout, through each library; its weights are fp16 numbers."""
    folder = tmp_path_factory.mktemp("twins")
    torch.manual_seed(0)
    model = CLIP(24, 32, 2, 64, 16, 77, 49408, 64, 1, 3).float().eval()
    other_clips.shaken(model)
    for weight in model.parameters():
        weight.data = weight.data.half().float()
    torch.save(model.state_dict(), folder / "openai.pt")
    arch = folder / "tiny-openai.json"
    arch.write_text(OPENAI_ARCH)
    open_clip.add_model_config(arch)
    converted(model, folder / "hf")
    names = (folder / "openai.pt", f"open_clip:tiny-openai//{folder}/openai.pt", f"hf:{folder}/hf")
    return dict(zip(TWINS, map(str, names), strict=True))


OPENAI_ARCH = """{
    "embed_dim": 24, "quick_gelu": true,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 3}
}"""


def converted(model: CLIP, folder: Path) -> None:
    """The model as transformers stores it, with CLIP's tokenizer."""
    heads = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 1, "projection_dim": 24}
    marks = {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    config = transformers.CLIPConfig(
        text_config={**heads, **marks, "num_hidden_layers": 3, "max_position_embeddings": 77},
        vision_config={**heads, "num_hidden_layers": 2, "image_size": 32, "patch_size": 16},
        projection_dim=24,
    )
    other, eyes = transformers.CLIPModel(config), model.visual
    text, vision = other.text_model, other.vision_model
    pairs = [
        (text.embeddings.token_embedding.weight, model.token_embedding.weight),
        (text.embeddings.position_embedding.weight, model.positional_embedding),
        (other.text_projection.weight, model.text_projection.t()),
        (other.visual_projection.weight, eyes.proj.t()),
        (vision.embeddings.class_embedding, eyes.class_embedding),
        (vision.embeddings.patch_embedding.weight, eyes.conv1.weight),
        (vision.embeddings.position_embedding.weight, eyes.positional_embedding),
        (other.logit_scale, model.logit_scale),
        *of_norm(text.final_layer_norm, model.ln_final),
        *of_norm(vision.pre_layrnorm, eyes.ln_pre),
        *of_norm(vision.post_layernorm, eyes.ln_post),
    ]
    for layers, blocks in ((text, model.transformer), (vision, eyes.transformer)):
        for layer, block in zip(layers.encoder.layers, blocks.resblocks, strict=True):
            pairs += of_block(layer, block)
    for target, source in pairs:
        target.data.copy_(source.data)
    other.save_pretrained(folder)
    own = byte_pairs()
    transformers.CLIPTokenizer(vocab=dict(own.encoder), merges=list(own.bpe_ranks)).save_pretrained(folder)


def of_norm(target, source) -> list:
    return [(target.weight, source.weight), (target.bias, source.bias)]


def of_block(layer, block) -> list:
    attention, heads = layer.self_attn, (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
    weights, biases = block.attn.in_proj_weight.chunk(3), block.attn.in_proj_bias.chunk(3)
    pairs = [*zip([head.weight for head in heads], weights), *zip([head.bias for head in heads], biases)]  # noqa: B905
    named = [
        (layer.layer_norm1, block.ln_1),
        (layer.layer_norm2, block.ln_2),
        (attention.out_proj, block.attn.out_proj),
        (layer.mlp.fc1, block.mlp.c_fc),
        (layer.mlp.fc2, block.mlp.c_proj),
    ]
    return [*pairs, *(pair for target, source in named for pair in of_norm(target, source))]


# --- one model through three libraries


@pytest.fixture(scope="module")
def loaded(twins) -> dict[str, Backbone]:
    return {library: load_backbone(name, "fp32", "cpu") for library, name in twins.items()}


@pytest.mark.parametrize("library", TWINS[1:])
def test_features_are_those_of_the_same_weights_through_clip(library, loaded):
    images, names = torch.randn(3, 3, 32, 32), ["cat", "long haired airedale", "xylophone 3"]
    ours, theirs = loaded["clip"], loaded[library]
    assert torch.equal(ours.tokenizer(names), clip.tokenize(names))
    torch.testing.assert_close(theirs.encode_image(images), ours.encode_image(images), atol=1e-5, rtol=1e-5)
    features = [backbone.text_features(names, ["a photo of a {}."]) for backbone in (theirs, ours)]
    torch.testing.assert_close(*features, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(theirs.logit_scale, ours.logit_scale)
    assert theirs.activation == ours.activation == "quick_gelu"


def losses_of(ship, name: str, folder: str) -> torch.Tensor:
    """Of every step of both stages; random numbers begin when the backbone is there, as clip draws some for it."""
    trainer = ship(*SIZE, backbone=name, folder=folder)
    losses = recorded_losses(trainer)
    trainer.train()
    return torch.tensor(losses)


def test_training_losses_are_those_of_the_same_weights_through_clip(ship, twins, monkeypatch):
    def load(*args: object) -> Backbone:
        backbone = load_backbone(*args)
        set_random_seed(1)
        return backbone

    monkeypatch.setattr(feature_trainer, "load_backbone", load)
    through = {library: losses_of(ship, name, library) for library, name in twins.items()}
    assert len(through["clip"]) == 9  # three epochs of one step, and two of three
    for library in TWINS[1:]:
        torch.testing.assert_close(through[library], through["clip"], atol=1e-5, rtol=1e-5)


def test_a_checkpoint_is_refused_on_the_same_weights_through_another_library(ship, twins):
    ship(*VIEWS, *SIZE, backbone=twins["clip"]).train()
    other = ship(*VIEWS, backbone=twins["open_clip"], folder="other")
    with pytest.raises(InputError, match=r"with the backbone .*openai\.pt .* this run has open_clip:tiny-openai"):
        other.load_model(other.cfg.OUTPUT_DIR.replace("other", "run"))


def test_loading_draws_no_random_numbers(twins):
    torch.manual_seed(5)
    expected = torch.rand(3)
    for library in TWINS[1:]:
        torch.manual_seed(5)
        load_backbone(twins[library], "fp32", "cpu")
        assert torch.equal(torch.rand(3), expected)


# --- whole runs


def test_base_to_new_of_ship_learns_evaluates_and_reloads(ship, other):
    trainer = ship(*VIEWS, backbone=other)
    losses = recorded_losses(trainer)
    trainer.train()
    assert losses[2] < losses[0]  # the PromptVAE's three epochs
    assert torch.isfinite(torch.tensor(losses)).all()
    first = trainer.test()
    again = ship(*VIEWS, backbone=other, folder="again")
    again.load_model(trainer.cfg.OUTPUT_DIR)
    assert again.test() == first
    new = ship(*VIEWS, backbone=other, folder="new", classes="new")
    new.load_model(trainer.cfg.OUTPUT_DIR)
    assert 0 <= new.test() <= 100


@pytest.mark.parametrize("method", ["CoCoOp", "KgCoOp", "ProGrad", "TaskRes", "TipAdapterF"])
def test_methods_of_each_kind_run_under_ship(method, ship, other):
    trainer = ship(*VIEWS, "TRAINER.SHIP.CLASSIFIER", method, backbone=other)
    trainer.train()
    assert torch.isfinite(trainer.classifier(trainer.evaluation_features("test")[0])).all()


def test_the_log_says_which_text_path_runs_and_what_images_are_like(ship, tmp_path, capsys):
    siglip = other_clips.by_transformers("siglip", tmp_path)
    trainer = ship(*VIEWS, backbone=siglip.name)
    log = capsys.readouterr().out
    assert "Text encoder: whole: every prompt runs over the whole window" in log
    assert (
        "Images: SIZE (32, 32), PIXEL_MEAN (0.5, 0.5, 0.5), PIXEL_STD (0.5, 0.5, 0.5), INTERPOLATION bilinear" in log
    )
    assert "as the backbone states. It was trained on pictures squashed to a square" in log
    assert trainer.cfg.INPUT.SIZE == (32, 32) and trainer.cfg.INPUT.PIXEL_MEAN == [0.5, 0.5, 0.5]
    assert trainer.cfg.INPUT.INTERPOLATION == "bilinear"


def test_a_checkpoint_is_refused_on_other_preprocessing_with_both(ship, tmp_path):
    name = other_clips.by_transformers("clip", tmp_path / "model").name
    trainer = ship(*VIEWS, backbone=name)
    trainer.train()
    stated = Path(name.removeprefix("hf:"), "preprocessor_config.json")
    stated.write_text(stated.read_text().replace('"resample": 2', '"resample": 3'))
    other = ship(*VIEWS, backbone=name, folder="other")
    with pytest.raises(InputError, match=r"INTERPOLATION bilinear\), and this run has .*INTERPOLATION bicubic\)"):
        other.load_model(trainer.cfg.OUTPUT_DIR)


def test_what_images_the_backbone_takes_is_in_what_features_are_kept_by(ship, twins, encoded, tmp_path):
    """The same weights, and files of the model that state another mean."""
    folder = Path(twins["hf"].removeprefix("hf:"))
    ship(*VIEWS, backbone=twins["hf"]).evaluation_features("test")
    count = len(encoded)
    ship(*VIEWS, backbone=twins["hf"], folder="same").evaluation_features("test")
    assert len(encoded) == count
    stated = folder / "preprocessor_config.json"
    stated.write_text('{"image_mean": [0.5, 0.5, 0.5]}')
    try:
        ship(*VIEWS, backbone=twins["hf"], folder="other").evaluation_features("test")
    finally:
        stated.unlink()
    assert len(encoded) == 2 * count
