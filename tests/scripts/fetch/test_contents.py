"""Files are told by their bytes, whatever they are called."""

import pytest
from fetch.contents import check_kind
from fetch.errors import FetchError

QUOTA = b"""<!DOCTYPE html><html><head><title>Google Drive &#8211; Quota
exceeded</title></head><body>Too many users</body></html>"""


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.tar.gz", QUOTA, "an HTML page titled 'Google Drive – Quota exceeded'"),
        ("a.zip", b"\n <html><body>gone</body></html>", "an HTML page"),
        ("a.zip", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML page"),
        ("a.zip", b"", "empty"),
        ("a.zip", b"Not found", "text"),
        ("a.zip", b"%PDF-1.7", "of the kind PDF"),
        ("a.tar", b"\x00\x01\x02" * 1000, "something else"),
        ("split.json", QUOTA, "not a .json file but an HTML page"),
        ("split.json", b"\x1f\x8b\x08", "not a .json file but of the kind gzip"),
        ("split.json", b'{"train": [["a.jpg", 0', "not whole JSON"),
        ("labels.mat", b"Moved", "not a .mat file but text"),
        ("classnames.txt", QUOTA, "an HTML page"),
        ("list.dat", QUOTA, "an HTML page"),
    ],
)
def test_what_came_instead_is_named(name, content, what, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FetchError, match=what):
        check_kind(path, is_archive=name.partition(".")[2] in ("tar.gz", "tar", "zip"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("split.json", b'\n{"train": []}'),
        ("labels.mat", b"MATLAB 5.0 MAT-file, Platform: GLNX86"),
        ("classnames.txt", b"n01440764 tench\n"),
        ("cat.dat", b"\x00\x01"),
    ],
)
def test_files_that_are_what_they_should_be_pass(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    check_kind(path, is_archive=False)


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\x00", b"\x00" * 257 + b"ustar"]
)
def test_archives_pass_whatever_their_suffix(magic, tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(magic + b"\x00" * 300)
    check_kind(path, is_archive=True)
