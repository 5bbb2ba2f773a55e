"""Files over HTTP: resumed, tried again, whole or not at all; and from Google Drive."""

import errno
import os

import gdown
import pytest
import requests
from fetch import transfer
from fetch.errors import DiskFullError, FetchError
from fetch.transfer import Patience, announced_size, download, download_drive

from tests.scripts.local_server import serving

CONTENT = os.urandom(300_000)
AT_ONCE = Patience(tries=3, wait=0)
ONCE = Patience(tries=1, wait=0)


@pytest.fixture
def site():
    with serving() as site:
        yield site


@pytest.fixture
def address(site):
    return site.add("a.bin", CONTENT)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.bin"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_brings_a_file_and_leaves_nothing_else(address, path, site):
    download(address, path, ONCE)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.bin"]
    assert announced_size(address, timeout=5) == len(CONTENT)


def test_goes_on_where_the_connection_broke_off(address, path, site):
    site.cuts["a.bin"] = [100_000, 50_000]
    download(address, path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert site.downloads("a.bin") == ["", "bytes=100000-", "bytes=150000-"]


def test_tries_that_got_further_are_not_counted(address, path, site):
    site.cuts["a.bin"] = [50_000] * 5
    download(address, path, Patience(tries=2, wait=0))
    assert path.read_bytes() == CONTENT


def test_next_call_goes_on_with_what_an_earlier_one_left(address, path, site):
    site.cuts["a.bin"] = [100_000]
    with pytest.raises(FetchError, match="100,000 of 300,000|broke off"):
        download(address, path, ONCE)
    assert names(path) == ["a.bin.part", "a.bin.part.json"]
    download(address, path, ONCE)
    assert path.read_bytes() == CONTENT
    assert site.downloads("a.bin") == ["", "bytes=100000-"]
    assert names(path) == ["a.bin"]


def test_what_was_left_whole_is_not_fetched_again(address, path, site):
    site.cuts["a.bin"] = [100_000]
    with pytest.raises(FetchError):
        download(address, path, ONCE)
    path.with_name("a.bin.part").write_bytes(CONTENT)  # as if it had been stopped before it was renamed
    download(address, path, ONCE)
    assert path.read_bytes() == CONTENT


def test_starts_over_where_the_server_knows_no_ranges(address, path, site):
    site.cuts["a.bin"], site.ranges = [100_000], False
    download(address, path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert site.downloads("a.bin") == ["", "bytes=100000-"]


def test_never_joins_two_versions_of_a_file(address, path, site):
    site.cuts["a.bin"] = [100_000]
    with pytest.raises(FetchError):
        download(address, path, ONCE)
    site.files["a.bin"], site.etag = CONTENT[::-1], '"two"'
    download(address, path, ONCE)
    assert path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("shift", [-1000, 1000])
def test_a_range_that_begins_elsewhere_is_not_joined(address, path, site, shift):
    """Not even where its length would fit: it is fetched anew."""
    site.cuts["a.bin"], site.shifts = [100_000], [shift]
    download(address, path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert site.downloads("a.bin") == ["", "bytes=100000-", ""]


def test_a_file_whose_version_is_not_told_is_fetched_anew(address, path, site):
    site.cuts["a.bin"], site.etag = [100_000], 'W/"equal in meaning alone"'
    download(address, path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert site.downloads("a.bin") == ["", ""]


def test_never_joins_files_of_two_addresses(address, path, site):
    site.cuts["a.bin"] = [100_000]
    with pytest.raises(FetchError):
        download(address, path, ONCE)
    download(site.add("b.bin", CONTENT[::-1]), path, ONCE)
    assert path.read_bytes() == CONTENT[::-1]
    assert site.downloads("b.bin") == [""]


def test_tries_again_when_the_server_is_busy(address, path, site):
    site.refusals["a.bin"] = [503, 429]
    download(address, path, AT_ONCE)
    assert path.read_bytes() == CONTENT


def test_gives_up_after_so_many_tries_without_getting_further(address, path, site):
    site.cuts["a.bin"] = [100_000] * 9
    site.ranges = False
    with pytest.raises(FetchError, match="3 tries"):
        download(address, path, AT_ONCE)
    assert len(site.downloads("a.bin")) == 3


def test_pauses_double(address, path, site, monkeypatch):
    pauses = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    site.refusals["a.bin"] = [503] * 4
    with pytest.raises(FetchError, match="503"):
        download(address, path, Patience(tries=4, wait=0.5))
    assert pauses == [0.5, 1.0, 2.0]


def test_a_file_that_is_not_there_is_not_asked_for_again(site, path):
    with pytest.raises(FetchError, match="404"):
        download(f"{site.base}/nowhere.bin", path, AT_ONCE)
    assert site.downloads("nowhere.bin") == [""]
    assert names(path) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.bin", "nonsense"])
def test_an_address_that_nobody_answers_is_an_error(address, path):
    with pytest.raises(FetchError):
        download(address, path, ONCE)
    assert names(path) == []
    assert announced_size(address, timeout=5) == 0


def test_full_disk_keeps_what_has_come(address, path, site, monkeypatch):
    class FullFile:
        """A file on a disk with no room for a second chunk."""

        def __init__(self, *args):
            self.file = open(*args)  # noqa: SIM115

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.file.close()

        def write(self, chunk):
            self.file.write(chunk[:1000])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer, "open", FullFile, raising=False)
    with pytest.raises(DiskFullError, match="a.bin.part"):
        download(address, path, AT_ONCE)
    assert path.with_name("a.bin.part").read_bytes() == CONTENT[:1000]
    monkeypatch.undo()
    download(address, path, ONCE)
    assert path.read_bytes() == CONTENT
    assert site.downloads("a.bin") == ["", "bytes=1000-"]


class Drive:
    """Stands for gdown: answers in the order given, an exception or the bytes of the file."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def download(self, id, output, quiet, resume):
        assert (id, resume) == ("some-id", True)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        with open(output, "wb") as file:
            file.write(answer)
        return output


def test_drive_files_are_tried_again_when_the_connection_breaks(path, monkeypatch):
    monkeypatch.setattr(gdown, "download", Drive(requests.ConnectionError("reset"), CONTENT).download)
    download_drive("some-id", path, AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.bin"]


def test_drive_quota_is_said_and_leaves_nothing(path, monkeypatch):
    quota = gdown.exceptions.FileURLRetrievalError("Too many users have viewed\n or downloaded this file recently")
    monkeypatch.setattr(gdown, "download", Drive(quota).download)
    with pytest.raises(FetchError, match="Too many users have viewed or downloaded"):
        download_drive("some-id", path, AT_ONCE)
    assert names(path) == []
