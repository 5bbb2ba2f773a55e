"""Files that are written whole or not at all, and their checksums."""

import hashlib
import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Puts a file of this text in place of the one that may be there; a crash leaves one of them, whole."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while some := file.read(1 << 20):
            digest.update(some)
    return digest.hexdigest()
