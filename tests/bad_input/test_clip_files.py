"""Files given as MODEL.BACKBONE.NAME: how they are spoilt, words of the message."""

import pickle

import pytest
import torch

FILES = [
    ("empty", b"", "truncated, or not a PyTorch file"),
    ("text", b"plain text", "truncated, or not a PyTorch file"),
    ("zip mark alone", b"PK\x03\x04 not an archive", "truncated, or not a PyTorch file"),
    ("zeros", bytes(1000), "truncated, or not a PyTorch file"),
    ("empty zip", b"PK\x05\x06" + bytes(18), "truncated, or not a PyTorch file"),
    ("pickled list", pickle.dumps([1, 2], 2), "bad.pt"),
    ("pickled dict", pickle.dumps({"a": 1}, 2), "bad.pt"),
    ("PNG", b"\x89PNG\r\n\x1a\n" + bytes(50), "truncated, or not a PyTorch file"),
]
OBJECTS = [
    ("list", [torch.zeros(2)], "it holds list"),
    ("tensor", torch.zeros(2), "it holds Tensor"),
    ("number", 5, "it holds int"),
    ("empty dict", {}, "it has no visual.conv1.weight"),
    ("other weights", {"weight": torch.zeros(3)}, "it has no visual.conv1.weight"),
    ("numbers by name", {"weight": 3}, "not named tensors"),
    ("numbered tensors", {1: torch.zeros(1)}, "it has no visual.conv1.weight"),
    ("empty state_dict", {"state_dict": {}}, "it has no visual.conv1.weight"),
    ("nested too deep", {"state_dict": {"state_dict": {}}}, "not named tensors"),
]
MISSING = ["visual.conv1.weight", "text_projection", "logit_scale", "ln_final.bias", "visual.proj"]
SHAPES = [
    ("text_projection", torch.zeros(64), "not a whole CLIP checkpoint"),
    ("text_projection", torch.zeros(64, 32), "not a whole CLIP checkpoint"),
    ("text_projection", torch.zeros(0, 0), "not a whole CLIP checkpoint"),
    ("visual.conv1.weight", torch.zeros(3), "not a whole CLIP checkpoint"),
    ("visual.positional_embedding", torch.zeros(3, 128), "not a whole CLIP checkpoint"),
    ("ln_final.weight", torch.zeros(8), "not a whole CLIP checkpoint"),
    ("logit_scale", torch.zeros(3), "not a whole CLIP checkpoint"),
    ("token_embedding.weight", torch.zeros(100, 64), "knows 100 tokens"),
    ("extra.weight", torch.zeros(2), "not a whole CLIP checkpoint"),
    ("ln_final.bias", torch.full((64,), torch.nan), "NaN or infinite: ln_final.bias"),
    ("visual.proj", torch.full((128, 64), torch.inf), "NaN or infinite: visual.proj"),
]


@pytest.fixture
def bad(world):
    world.arguments["--backbone"] = world.folder / "bad.pt"
    return world.folder / "bad.pt"


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_file_that_is_no_checkpoint_is_refused(content, words, world, bad):
    bad.write_bytes(content)
    world.refused(words)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_file_is_refused(share, world, bad, tiny_clip):
    content = tiny_clip.read_bytes()
    bad.write_bytes(content[: int(share * len(content))])
    world.refused("truncated, or not a PyTorch file")


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in OBJECTS], ids=[case[0] for case in OBJECTS])
def test_file_of_something_else_is_refused(content, words, world, bad):
    torch.save(content, bad)
    world.refused(words)


@pytest.mark.parametrize("name", MISSING)
def test_clip_without_a_part_is_refused(name, world, bad, tiny_clip):
    state = torch.load(tiny_clip)
    del state[name]
    torch.save(state, bad)
    world.refused("bad.pt is not a")


@pytest.mark.parametrize(("name", "value", "words"), SHAPES, ids=[f"{case[0]}-{case[2]:.9}" for case in SHAPES])
def test_clip_with_an_odd_part_is_refused(name, value, words, world, bad, tiny_clip):
    torch.save(torch.load(tiny_clip) | {name: value}, bad)
    world.refused(words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ViT-B16", "Did you mean ViT-B/16?"),
        ("RN-50", "Did you mean RN50?"),
        ("nowhere/clip.pt", "neither an existing file nor one of CLIP's models"),
        ("data", "neither an existing file nor one of CLIP's models"),
    ],
)
def test_unknown_name_is_refused(name, words, world):
    world.arguments["--backbone"] = name
    world.refused(words)


def test_published_weights_that_cannot_be_downloaded_are_named(world, monkeypatch):
    monkeypatch.setattr("clip.clip._MODELS", {"ViT-B/16": "file:///nowhere/0/ViT-B-16.pt"})
    world.arguments["--backbone"] = "ViT-B/16"
    (world.folder / "home/.cache/clip").mkdir(parents=True)
    (world.folder / "home/.cache/clip/ViT-B-16.pt").write_bytes(b"half")
    world.refused("ViT-B-16.pt is truncated or another file")


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere.pt", "neither an existing file"), ("ViT-B/16", "could not be downloaded")]
)
def test_weights_that_are_not_there_are_named_before_images_are_listed(name, words, world, monkeypatch):
    monkeypatch.setattr("clip.clip._MODELS", {"ViT-B/16": f"file:///nowhere/{'0' * 64}/ViT-B-16.pt"})
    monkeypatch.setattr("dassl.data.data_manager.build_dataset", lambda cfg: pytest.fail("images were listed"))
    world.arguments["--backbone"] = name
    world.refused(words)
