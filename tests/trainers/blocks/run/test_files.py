"""Files that are written whole or not at all."""

import hashlib
import os

import pytest

from trainers.blocks.errors import InputError
from trainers.blocks.run.files import replace_file, sha256_of, write_whole


def test_a_file_is_replaced(tmp_path):
    for text in (b"one", b"two"):
        write_whole(tmp_path / "a.json", text)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"two"]


@pytest.mark.parametrize(("write", "kind"), [(write_whole, OSError), (replace_file, InputError)])
def test_a_write_that_fails_leaves_the_old_file_alone(write, kind, tmp_path, monkeypatch):
    write(tmp_path / "a.json", b"one")
    with monkeypatch.context() as context, pytest.raises(kind, match="full"):
        context.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("full")))
        write(tmp_path / "a.json", b"two")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"one"]


def test_a_checksum_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()
