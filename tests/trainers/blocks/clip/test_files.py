"""CLIP's published weights: kept only as they were published; a download never leaves half a file."""

import hashlib
import itertools
import os
import re

import pytest
import torch

from trainers.blocks.clip import files
from trainers.blocks.clip.files import check_weights, read_clip
from trainers.blocks.errors import InputError
from trainers.blocks.run import progress

NAME = "ViT-B/16"


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Where the weights are kept, in a home folder of the test's; `publish` puts a file at their address."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home/.cache/clip/ViT-B-16.pt"


@pytest.fixture
def publish(tmp_path, monkeypatch, cached):
    def put(content: dict | bytes, digest: str | None = None) -> None:
        path = tmp_path / "server/file"
        path.parent.mkdir()
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
        served = path.with_name(digest) / cached.name
        served.parent.mkdir()
        os.rename(path, served)
        monkeypatch.setattr("clip.clip._MODELS", {NAME: served.as_uri()})

    return put


def test_weights_are_downloaded_once_and_kept(publish, cached, capsys):
    publish({"weight": torch.ones(2)})
    for _ in range(2):
        assert torch.equal(read_clip(NAME)["weight"], torch.ones(2))
    assert capsys.readouterr().out.count("Downloading") == 1
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]


def test_truncated_file_in_the_cache_is_downloaded_again(publish, cached, capsys):
    publish({"weight": torch.ones(2)})
    read_clip(NAME)
    cached.write_bytes(cached.read_bytes()[:100])
    assert torch.equal(read_clip(NAME)["weight"], torch.ones(2))
    assert f"{cached} is truncated or another file" in capsys.readouterr().out


def test_truncated_file_without_a_network_is_named_with_what_to_do(cached, monkeypatch):
    monkeypatch.setattr("clip.clip._MODELS", {NAME: f"file:///nowhere/{'0' * 64}/{cached.name}"})
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    with pytest.raises(InputError, match=rf"(?s){cached} is truncated.*could not be downloaded.*MODEL.BACKBONE.NAME"):
        read_clip(NAME)
    assert cached.read_bytes() == b"half a file"


def test_download_that_is_not_what_was_published_is_not_kept(publish, cached):
    publish(b"something else", digest="0" * 64)
    with pytest.raises(InputError, match="another SHA-256 than the published one; it was not kept"):
        read_clip(NAME)
    assert not list(cached.parent.iterdir())


@pytest.mark.parametrize("ask", [read_clip, check_weights])
def test_failed_download_says_what_to_put_where_by_hand(ask, cached, monkeypatch):
    monkeypatch.setattr("clip.clip._MODELS", {NAME: "file:///nowhere/0/ViT-B-16.pt"})
    with pytest.raises(InputError, match=r"(?s)could not be downloaded.*MODEL\.BACKBONE\.NAME") as error:
        ask(NAME)
    lines = str(error.value).splitlines()
    assert "  file:///nowhere/0/ViT-B-16.pt" in lines
    assert f"  {cached}" in lines


def test_download_says_how_far_it_is(publish, monkeypatch, capsys):
    publish(b"x" * 1000)
    clock = itertools.count(0, 10)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(files, "CHUNK", 250)
    check_weights(NAME)
    assert re.findall(r"ViT-B-16.pt: (\d+)%", capsys.readouterr().out) == ["25", "50", "75", "100"]


def test_check_of_weights_downloads_what_is_missing_alone(publish, cached, tmp_path):
    publish({"weight": torch.ones(2)})
    check_weights(NAME)
    assert cached.is_file()
    cached.write_bytes(b"looked at when it is read")
    check_weights(NAME)
    assert cached.read_bytes() == b"looked at when it is read"
    check_weights(str(cached))
    with pytest.raises(InputError, match="neither an existing file nor one of CLIP's models"):
        check_weights(str(tmp_path / "no.pt"))
