"""Models of transformers, cut down: features and gradients are those of its own code."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
import transformers

from tests.trainers import other_clips
from tests.trainers.blocks.clip import as_the_library_has_it as same
from trainers.blocks.clip import libraries
from trainers.blocks.clip.backbone import load_backbone, stated_preprocessing
from trainers.blocks.clip.preprocessing import Preprocessing
from trainers.blocks.clip.text_encoder import TextEncoder
from trainers.blocks.errors import InputError

CPU = "cpu"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models of all kinds, each made once."""
    made = {}

    def model(kind: str) -> other_clips.Other:
        if kind not in made:
            made[kind] = other_clips.by_transformers(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return model


@pytest.fixture
def copy(models, tmp_path):
    """A copy of a model's folder, to be spoilt."""

    def copied(kind: str) -> Path:
        return Path(shutil.copytree(models(kind).name.removeprefix("hf:"), tmp_path / kind))

    return copied


@pytest.mark.parametrize("kind", other_clips.TRANSFORMERS)
def test_features_and_gradients_are_the_librarys_own(kind, models):
    other = models(kind)
    backbone = load_backbone(other.name, "fp32", CPU)
    assert isinstance(backbone.text, TextEncoder) == kind.startswith("clip")
    same.check_images(backbone, other)
    same.check_texts(backbone, other)
    same.check_shared_contexts(backbone, other)
    same.check_contexts_of_their_own(backbone, other)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "mixed"])
@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_lower_precision_is_close_and_the_same_backbone(kind, precision, models):
    same.check_precision(models(kind).name, precision)


def test_the_scale_of_logits_is_the_models_and_one_number(models):
    scale = load_backbone(models("siglip").name, "fp32", CPU).logit_scale
    assert scale.shape == () and abs(scale.log().item() - 4.7) < 1e-5


def test_images_are_as_the_models_files_state(models, copy):
    assert stated_preprocessing(models("clip").name) == Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear")
    assert stated_preprocessing(models("siglip").name).squashed
    folder = copy("clip")
    (folder / "preprocessor_config.json").unlink()
    assert stated_preprocessing(f"hf:{folder}") == Preprocessing(32)


def test_activation_is_the_models_and_no_other(models):
    assert load_backbone(models("clip_gelu").name, "fp32", CPU, "gelu").activation == "gelu"
    with pytest.raises(InputError, match="MODEL.BACKBONE.ACTIVATION is quick_gelu, and the model states gelu"):
        load_backbone(models("clip_gelu").name, "fp32", CPU, "quick_gelu")


def text_only(folder: Path) -> None:
    transformers.CLIPTextModel(transformers.CLIPTextConfig(**other_clips.TOWER, vocab_size=99)).save_pretrained(
        folder
    )


def images_only(folder: Path) -> None:
    transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**other_clips.EYES)).save_pretrained(folder)


def images_of_any_size(folder: Path) -> None:
    text = {**other_clips.TOWER, "vocab_size": 40, "projection_size": 64}
    vision = {**other_clips.TOWER, "patch_size": 16, "num_patches": 16}
    config = transformers.Siglip2Config(text_config=text, vision_config=vision)
    transformers.Siglip2Model(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (text_only, "is a clip_text_model, not a model with a tower for images and one for text"),
        (images_only, "is a clip_vision_model, not a model with"),
        (images_of_any_size, "is a siglip2, which takes images of any size"),
        (Path.mkdir, "has no configuration that could be read"),
    ],
)
def test_what_is_no_model_of_images_and_text_is_refused(make, words, tmp_path):
    make(tmp_path / "model")
    with pytest.raises(InputError, match=words):
        load_backbone(f"hf:{tmp_path}/model", "fp32", CPU)


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:10_000])


def forget_the_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def forget_the_vocabulary(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def pickle_code(folder: Path) -> None:
    class Malicious:
        def __reduce__(self):
            return (print, ("this must not run",))

    forget_the_weights(folder)
    torch.save({"weight": Malicious()}, folder / "pytorch_model.bin")


def add_layers(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["text_config"]["num_hidden_layers"] = 4
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, "cannot be read"),
        (forget_the_weights, "cannot be had"),
        (forget_the_vocabulary, "does not tell words apart"),
        (pickle_code, "cannot be read"),
        (add_layers, "has no weights for text_model.encoder.layers.3"),
    ],
)
def test_damaged_folders_are_refused_in_one_line(spoil, words, copy, capsys):
    folder = copy("clip")
    spoil(folder)
    with pytest.raises(InputError, match=words) as refused:
        load_backbone(f"hf:{folder}", "fp32", CPU)
    assert "\n" not in str(refused.value) and "this must not run" not in capsys.readouterr().out


def test_a_name_that_cannot_be_downloaded_is_one_line(monkeypatch):
    monkeypatch.setattr(libraries, "answers", lambda address: False)
    with pytest.raises(InputError, match="hf:someone/no-such-clip has no configuration") as refused:
        load_backbone("hf:someone/no-such-clip", "fp32", CPU)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub():
    with pytest.raises(InputError, match="there is no folder of that name"):
        load_backbone("hf:./no/such/folder", "fp32", CPU)


def test_without_the_package_the_message_has_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"pip install .*\[hf\]"):
        load_backbone("hf:someone/some-clip", "fp32", CPU)
