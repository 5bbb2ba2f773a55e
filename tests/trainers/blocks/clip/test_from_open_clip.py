"""Models of open_clip, cut down: features and gradients are those of its own code."""

import pytest
import torch
from open_clip import pretrained

from tests.trainers import other_clips
from tests.trainers.blocks.clip import as_the_library_has_it as same
from trainers.blocks.clip import from_open_clip, libraries
from trainers.blocks.clip.backbone import load_backbone, stated_preprocessing
from trainers.blocks.clip.class_token import has_class_token
from trainers.blocks.clip.from_open_clip import Named, wants_quick_gelu
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
            made[kind] = other_clips.by_open_clip(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return model


@pytest.mark.parametrize("kind", other_clips.OPEN_CLIP)
def test_features_and_gradients_are_the_librarys_own(kind, models):
    other = models(kind)
    backbone = load_backbone(other.name, "fp32", CPU)
    assert isinstance(backbone.text, TextEncoder) == (kind in other_clips.SHORT)
    assert has_class_token(backbone.image.tower) == (kind not in ("coca", "timm"))
    same.check_images(backbone, other)
    same.check_texts(backbone, other)
    same.check_shared_contexts(backbone, other)
    same.check_contexts_of_their_own(backbone, other)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "mixed"])
@pytest.mark.parametrize("kind", ["gelu", "bidirectional"])
def test_lower_precision_is_close_and_the_same_backbone(kind, precision, models):
    same.check_precision(models(kind).name, precision)


def test_weights_of_a_gelu_model_do_not_run_with_quick_gelu(models):
    gelu, quick = (load_backbone(models(kind).name, "fp32", CPU) for kind in ("gelu", "quick_gelu"))
    assert (gelu.activation, quick.activation) == ("gelu", "quick_gelu")
    assert gelu.identity["backbone"] != quick.identity["backbone"]


@pytest.mark.parametrize(
    ("tag", "asked", "quick"),
    [("laion2b_s34b_b88k", "", False), ("dfn2b", "", True), ("openai", "", True), ("openai", "quick_gelu", True)],
)
def test_published_weights_get_the_activation_that_they_were_trained_with(tag, asked, quick):
    assert wants_quick_gelu(Named("ViT-B-16", tag, None), asked) is quick


@pytest.mark.parametrize(("tag", "asked"), [("laion2b_s34b_b88k", "quick_gelu"), ("dfn2b", "gelu")])
def test_another_activation_than_that_of_published_weights_is_refused(tag, asked):
    with pytest.raises(InputError, match="MODEL.BACKBONE.ACTIVATION"):
        wants_quick_gelu(Named("ViT-B-16", tag, None), asked)


def test_a_file_gets_the_activation_that_is_asked_for(models):
    other = models("gelu")
    asked = load_backbone(other.name, "fp32", CPU, "quick_gelu")
    assert asked.activation == "quick_gelu"
    assert asked.identity["backbone"] != load_backbone(other.name, "fp32", CPU).identity["backbone"]


@pytest.mark.parametrize(
    ("name", "size", "mean", "interpolation", "squashed"),
    [
        ("ViT-B-16/laion2b_s34b_b88k", 224, 0.48145466, "bicubic", False),
        ("ViT-B-16-SigLIP2-256/webli", 256, 0.5, "bicubic", True),
        ("MobileCLIP-B/datacompdr", 224, 0.0, "bilinear", False),
        ("EVA02-B-16/merged2b_s8b_b131k", 224, 0.48145466, "bicubic", False),
    ],
)
def test_images_are_as_published_weights_were_trained_on(name, size, mean, interpolation, squashed):
    stated = stated_preprocessing(f"open_clip:{name}")
    assert (stated.size, stated.mean[0], stated.interpolation, stated.squashed) == (
        *(size, mean, interpolation, squashed),
    )


def test_of_a_file_that_is_stated_in_which_all_published_weights_agree(models, tmp_path):
    (tmp_path / "own.pt").write_bytes(b"")
    siglip = stated_preprocessing(f"open_clip:ViT-B-16-SigLIP//{tmp_path}/own.pt")
    assert siglip.mean == (0.5, 0.5, 0.5) and siglip.likely
    assert stated_preprocessing(models("gelu").name) == Preprocessing(32, likely=True)


def test_a_relative_path_and_one_whose_first_slash_is_the_second_name_one_file(models, tmp_path, monkeypatch):
    other = models("gelu")
    arch, _, path = other.name.partition("//")
    folder, _, file = path.rpartition("/")
    monkeypatch.chdir(folder)
    expected = load_backbone(other.name, "fp32", CPU).identity["backbone"]
    for name in (f"{arch}//{file}", f"{arch}//{path.removeprefix('/')}"):
        assert load_backbone(name, "fp32", CPU).identity["backbone"] == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ViT-B-6/openai", "no architecture 'ViT-B-6'. Did you mean ViT-B-16?"),
        ("ViT-B-16/datacomp_xl_s13b_b90", "Did you mean datacomp_xl_s13b_b90k?"),
        ("ViT-B-16", "no weights ''"),
        ("ViT-B-16//no/such.pt", "there is no file 'no/such.pt'"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(name, words):
    with pytest.raises(InputError) as refused:
        load_backbone(f"open_clip:{name}", "fp32", CPU)
    assert words in str(refused.value)


def spoilt(content: bytes | object, models, tmp_path) -> str:
    path = tmp_path / "bad.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    return f"{models('gelu').name.partition('//')[0]}//{path}"


class Malicious:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    "content",
    [b"", b"text", {}, [torch.zeros(2)], {"weight": torch.zeros(3)}, {"weight": Malicious()}],
    ids=["empty", "text", "empty dict", "list", "other weights", "code"],
)
def test_file_of_something_else_is_refused_by_name_in_one_line(content, models, tmp_path, capsys):
    with pytest.raises(InputError, match=r"bad\.pt cannot be read as weights of tiny-gelu") as refused:
        load_backbone(spoilt(content, models, tmp_path), "fp32", CPU)
    assert "\n" not in str(refused.value) and "this must not run" not in capsys.readouterr().out


def test_truncated_and_infinite_weights_are_refused(models, tmp_path):
    _, _, path = models("gelu").name.partition("//")
    with open(path, "rb") as file:
        content = file.read()
    with pytest.raises(InputError, match=r"bad\.pt cannot be read"):
        load_backbone(spoilt(content[: len(content) // 2], models, tmp_path), "fp32", CPU)
    state = torch.load(path) | {"ln_final.bias": torch.full((64,), torch.nan)}
    with pytest.raises(InputError, match="NaN or infinite: ln_final.bias"):
        load_backbone(spoilt(state, models, tmp_path), "fp32", CPU)


def test_weights_that_cannot_be_downloaded_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "answers", lambda address: False)
    monkeypatch.setattr(pretrained, "hf_hub_download", refuse)
    with pytest.raises(InputError, match="could not be downloaded") as refused:
        load_backbone("open_clip:ViT-B-16/laion2b_s34b_b88k", "fp32", CPU)
    assert "\n" not in str(refused.value)


def refuse(*args: object, **kwargs: object) -> None:
    raise OSError("no network here")


def test_without_the_package_the_message_has_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    with pytest.raises(InputError, match=r"pip install .*open_clip"):
        from_open_clip.check_weights("ViT-B-16/openai")
