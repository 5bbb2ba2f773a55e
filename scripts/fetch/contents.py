"""What a file is by its own bytes: servers under quota or repair send pages under the name of an archive."""

import html
import json
import re
import tarfile
from pathlib import Path

from .errors import FetchError

MAGIC = {  # kind ─▶ bytes at an offset
    "gzip": (0, b"\x1f\x8b"),
    "bzip2": (0, b"BZh"),
    "xz": (0, b"\xfd7zXZ\x00"),
    "zip": (0, b"PK\x03\x04"),
    "empty zip": (0, b"PK\x05\x06"),
    "tar": (257, b"ustar"),
    "MATLAB file": (0, b"MATLAB 5.0"),
    "7z": (0, b"7z\xbc\xaf"),
    "RAR": (0, b"Rar!"),
    "PDF": (0, b"%PDF"),
}
ARCHIVES = ("gzip", "bzip2", "xz", "zip", "tar")


def kind_of(path: Path) -> str:
    """A word or two for what the file is: one of MAGIC, empty, an HTML or XML page, text, or unknown."""
    with open(path, "rb") as file:
        head = file.read(4096)
    for kind, (offset, magic) in MAGIC.items():
        if head[offset:].startswith(magic):
            return kind
    if not head:
        return "empty"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "HTML page"
    if start.startswith(b"<?xml"):
        return "XML page"
    if b"\0" not in head:
        return "text"
    return "tar" if tarfile.is_tarfile(path) else "unknown"  # a tar from before 1988 has no mark


def check_kind(path: Path, is_archive: bool) -> None:
    """Raises FetchError unless the file can be what it should be: an archive, or the kind its suffix says."""
    kind = kind_of(path)
    wanted = {".json": ("text",), ".txt": ("text",), ".mat": ("MATLAB file",)}.get(path.suffix.lower())
    if is_archive:
        wanted = ARCHIVES
    if kind in ("empty", "HTML page", "XML page") or (wanted and kind not in wanted):
        expected = "an archive" if is_archive else f"a {path.suffix} file"
        raise FetchError(f"what came is not {expected} but {describe(kind, path)}")
    if path.suffix.lower() == ".json":
        check_json(path)


def describe(kind: str, path: Path) -> str:
    if kind == "HTML page":
        match = re.search(r"<title[^>]*>(.*?)</title>", path.read_text(errors="replace")[:65536], re.S | re.I)
        return "an HTML page" + (f" titled {' '.join(html.unescape(match[1]).split())!r}" if match else "")
    names = {"empty": "empty", "XML page": "an XML page", "text": "text", "unknown": "something else"}
    return names.get(kind, f"of the kind {kind}")


def check_json(path: Path) -> None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FetchError(f"{path.name} is not whole JSON ({error})") from error
