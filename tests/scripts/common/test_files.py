"""Files that are written whole or not at all."""

import hashlib
from pathlib import Path

import pytest
from common.files import sha256_of, write_whole


def test_a_file_is_replaced(tmp_path):
    for text in ("one", "two"):
        write_whole(tmp_path / "a.json", text)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["two"]


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    write_whole(tmp_path / "a.json", "one")
    with monkeypatch.context() as context, pytest.raises(OSError, match="full"):
        context.setattr(Path, "write_text", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("full")))
        write_whole(tmp_path / "a.json", "two")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


def test_a_checksum_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()
