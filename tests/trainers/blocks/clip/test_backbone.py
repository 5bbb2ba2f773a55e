"""Backbones from files, in both forms that OpenAI's layout comes in, and files that are none."""

import clip
import pytest
import torch

from trainers.blocks.clip.backbone import load_backbone
from trainers.blocks.errors import InputError

CPU = torch.device("cpu")


def test_dimensions_come_from_the_file(clip_file):
    backbone = load_backbone(str(clip_file), "fp32", CPU)
    state = torch.load(clip_file)
    assert (backbone.text.width, backbone.feature_dim) == tuple(state["text_projection"].shape)
    assert (backbone.resolution, backbone.text.window) == (32, 77)


def test_features_are_normalized_and_equal_clips(backbone):
    images = torch.randn(3, 3, 32, 32)
    expected = backbone.model.encode_image(images)
    torch.testing.assert_close(backbone.encode_image(images), expected / expected.norm(dim=-1, keepdim=True))


def test_nothing_in_it_can_be_trained(backbone):
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not any(module.training for module in backbone.modules())
    assert not backbone.encode_image(torch.randn(1, 3, 32, 32)).requires_grad


@pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated, and tracing warns
def test_torchscript_archive_and_state_dict_load_alike(clip_file, backbone, tmp_path):
    archive = tmp_path / "archive.pt"
    example = (torch.randn(1, 3, 32, 32), clip.tokenize(["a cat"]))
    torch.jit.trace(backbone.model, example, check_trace=False).save(str(archive))
    loaded = load_backbone(str(archive), "fp32", CPU).model.state_dict()
    for name, value in backbone.model.state_dict().items():
        assert torch.equal(loaded[name], value), name


def test_state_dict_inside_a_checkpoint_is_found(clip_file, tmp_path, backbone):
    torch.save({"epoch": 3, "state_dict": torch.load(clip_file)}, tmp_path / "wrapped.pt")
    assert load_backbone(str(tmp_path / "wrapped.pt"), "fp32", CPU).feature_dim == backbone.feature_dim


def test_relative_path_is_looked_up_in_the_checkout_too(monkeypatch, tmp_path, clip_file):
    monkeypatch.setattr("trainers.blocks.run.files.CHECKOUT", clip_file.parent)
    monkeypatch.chdir(tmp_path)
    load_backbone(clip_file.name, "fp32", CPU)


def test_weights_that_are_not_finite_are_refused(clip_file, tmp_path):
    state = torch.load(clip_file)
    state["ln_final.bias"][3] = torch.nan
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(InputError, match=r"NaN or infinite: ln_final\.bias"):
        load_backbone(str(tmp_path / "nan.pt"), "fp32", CPU)


def test_another_vocabulary_is_refused(clip_file, tmp_path):
    state = torch.load(clip_file)
    state["token_embedding.weight"] = state["token_embedding.weight"][:100].clone()
    torch.save(state, tmp_path / "small.pt")
    with pytest.raises(InputError, match="knows 100 tokens"):
        load_backbone(str(tmp_path / "small.pt"), "fp32", CPU)


def test_fingerprint_tells_weights_apart_and_not_precisions(clip_file, tmp_path):
    state = torch.load(clip_file)
    torch.save({name: value.half() for name, value in state.items()}, tmp_path / "half.pt")
    state["text_projection"][0, 0] += 1
    torch.save(state, tmp_path / "other.pt")
    first, half, other = (
        load_backbone(str(path), precision, CPU).identity["backbone"]
        for path, precision in ((clip_file, "bf16"), (tmp_path / "half.pt", "fp32"), (tmp_path / "other.pt", "fp32"))
    )
    assert first == half != other


def test_fp16_keeps_weights_in_half(clip_file):
    assert load_backbone(str(clip_file), "fp16", CPU).text.dtype == torch.float16


@pytest.mark.parametrize("name", ["ViT-B16", "", "no/such/file.pt"])
def test_neither_name_nor_file_is_refused(name):
    with pytest.raises(InputError, match=r"RN50.*ViT-B/16"):
        load_backbone(name, "fp32", CPU)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 not an archive",
        b"\x80\x02]q\x00.",
        b"plain text",
    ],
    ids=["empty", "broken zip", "a list", "text"],
)
def test_file_that_is_no_checkpoint_is_refused_by_name(content, tmp_path):
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pt"):
        load_backbone(str(path), "fp32", CPU)


def test_clip_with_a_missing_layer_is_refused(clip_file, tmp_path):
    state = torch.load(clip_file)
    del state["ln_final.bias"]
    torch.save(state, tmp_path / "partial.pt")
    with pytest.raises(InputError, match=r"partial\.pt is not a whole CLIP"):
        load_backbone(str(tmp_path / "partial.pt"), "fp32", CPU)


def test_pickled_code_is_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (print, ("this must not run",))

    torch.save({"weight": Malicious()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match=r"evil\.pt"):
        load_backbone(str(tmp_path / "evil.pt"), "fp32", CPU)
