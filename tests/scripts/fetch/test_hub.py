"""Files of the Hugging Face hub: by its library where that is installed, else by its plain addresses."""

import sys
from types import SimpleNamespace

import pytest
from fetch import hub
from fetch.errors import FetchError
from fetch.hub import HubFile, download_hub
from fetch.transfer import Patience

from tests.scripts.local_server import serving

ONCE = Patience(tries=1, wait=0)


class Refused(Exception):
    """What the stand-in for huggingface_hub raises."""


@pytest.fixture
def site(monkeypatch):
    with serving() as site:
        monkeypatch.setattr(hub, "HOST", site.base)
        yield site


@pytest.fixture
def library(monkeypatch):
    """A stand-in for huggingface_hub, which has one file; gives what it has been asked for."""
    asked = []

    def hf_hub_download(repo, path, *, repo_type, revision, local_dir):
        asked.append((repo, path, repo_type, revision))
        if path != "a.zip":
            raise Refused("404 Client Error. (Request ID: 1)\n\nEntry Not Found")
        local_dir.mkdir()
        (local_dir / path).write_bytes(b"content")
        return str(local_dir / path)

    utils = SimpleNamespace(HfHubHTTPError=Refused)
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=hf_hub_download, utils=utils))
    return asked


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("hf://me/it@main/a/b.zip", "https://huggingface.co/me/it/resolve/main/a/b.zip"),
        ("hf://datasets/me/it@0a1b/b.zip", "https://huggingface.co/datasets/me/it/resolve/0a1b/b.zip"),
    ],
)
def test_an_address_names_repository_revision_and_file(address, url):
    assert HubFile.at(address).url == url


@pytest.mark.parametrize("address", ["hf://me/it/b.zip", "hf://it@main/b.zip", "hf://me/it@main/"])
def test_what_is_no_address_of_the_hub_is_named(address, tmp_path):
    with pytest.raises(FetchError, match="is no address of the hub"):
        download_hub(address, tmp_path / "b.zip", ONCE)


def test_without_the_library_the_file_comes_from_its_plain_address(site, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    site.add("datasets/me/it/resolve/main/a.zip", b"content")
    download_hub("hf://datasets/me/it@main/a.zip", tmp_path / "b.zip", ONCE)
    assert (tmp_path / "b.zip").read_bytes() == b"content"
    with pytest.raises(FetchError, match="404"):
        download_hub("hf://me/gone@main/a.zip", tmp_path / "b.zip", ONCE)


def test_the_library_brings_the_file_where_it_is_installed(library, site, tmp_path):
    download_hub("hf://datasets/me/it@0a1b/a.zip", tmp_path / "b.zip", ONCE)
    assert library == [("me/it", "a.zip", "dataset", "0a1b")]
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]
    assert (tmp_path / "b.zip").read_bytes() == b"content"
    assert site.asked == []


def test_what_the_hub_refuses_is_a_line(library, tmp_path):
    with pytest.raises(FetchError) as raised:
        download_hub("hf://me/it@main/gone.zip", tmp_path / "b.zip", ONCE)
    assert str(raised.value) == "404 Client Error. (Request ID: 1)"
    assert list(tmp_path.iterdir()) == []
