"""Reads archives through and unpacks them so that nothing they hold can reach outside the folder given.

Tar (plain, gzip, bzip2, xz) and zip take one way: what is inside is read as a stream of members, and only files and
folders are written, by this module. No link is ever made: a link to a file of the same archive becomes a copy of
it, and any other member (links leading elsewhere, devices, pipes) is refused, as are paths that are absolute or
contain `..`. So nothing depends on tarfile's own filters, which the first releases of Python 3.10 and 3.11 lack.
"""

import bz2
import gzip
import lzma
import posixpath
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from tqdm import tqdm

from .contents import kind_of
from .errors import FetchError, writing

OPENERS = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)
FOREIGN = (RuntimeError, NotImplementedError)  # zipfile: encrypted, or packed by a method it does not know
CHUNK = 1 << 20
TAR_END = bytes(1024)


@dataclass(frozen=True)
class Member:
    """One entry of an archive; `link` is the path in the archive that a link leads to, else empty."""

    path: PurePosixPath
    is_folder: bool
    size: int
    link: str = ""


@dataclass(frozen=True)
class Contents:
    """What reading an archive through showed."""

    files: int
    size: int  # bytes unpacked
    top: tuple[str, ...]  # names at the top level


def check(path: Path) -> Contents:
    """Reads the archive through. Raises FetchError if it is cut short, damaged or holds what must not be unpacked."""
    files, size, top = 0, 0, {}
    with naming(path, "is not whole"):
        for member, data in members(path, "check"):
            top.update(dict.fromkeys(member.path.parts[:1]))
            while data and data.read(CHUNK):
                pass  # checksums are compared as the data are read
            files += not member.is_folder
            size += member.size
    if not files:
        raise FetchError(f"{path.name} holds no file")
    return Contents(files, size, tuple(top))


def unpack(path: Path, folder: Path, only: str = "") -> None:
    """Unpacks an archive that `check` found whole into `folder`; with `only`, that folder's content.

    Raises FetchError; what has been written by then is for the caller to remove.
    """
    links = []
    disk_full = f"{path.name} is whole and kept: make room, then run the same command again"
    with naming(path, "cannot be unpacked"), writing(folder, disk_full):
        for member, data in members(path, "unpack"):
            target = below(member.path, only)
            if target is None or not target.parts:
                continue
            if member.link:
                links.append((folder / target, member))
            else:
                write(folder / target, data, member)
        for target, member in links:  # last, since they may come before what they lead to
            original = below(PurePosixPath(member.link), only)
            copy_link(target, folder / original if original else None, member)


def write(target: Path, data: IO[bytes] | None, member: Member) -> None:
    try:
        (target if member.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if data is not None:
            with open(target, "wb") as file:
                shutil.copyfileobj(data, file, CHUNK)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise FetchError(f"{member.path} is both a file and a folder in the archive") from error


def copy_link(target: Path, original: Path | None, member: Member) -> None:
    if original is None or not original.is_file():
        raise FetchError(f"{member.path} links to {member.link}, which is not a file that the archive unpacks")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(original, target)


def below(path: PurePosixPath, folder: str) -> PurePosixPath | None:
    """`path` as seen from the archive's `folder`; None outside it."""
    return path.relative_to(folder) if path.is_relative_to(folder) else None


@contextmanager
def naming(path: Path, problem: str) -> Iterator[None]:
    """Turns the errors of the archive modules into a FetchError that names the archive."""
    try:
        yield
    except (*BROKEN, *FOREIGN) as error:
        raise FetchError(f"{path.name} {problem} ({type(error).__name__}: {error})") from error


def members(path: Path, action: str) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """The members in order, each with its data if it is a file, to be read before the next one is asked for.

    Raises FetchError for members that must not be unpacked, and the archive modules' errors for a damaged archive.
    """
    kind = kind_of(path)
    desc = f"  {action} {path.name}"
    with (
        open(path, "rb") as raw,
        tqdm.wrapattr(raw, "read", path.stat().st_size, desc=desc, unit="B", unit_scale=True, disable=None) as file,
    ):
        yield from zip_members(file) if kind == "zip" else tar_members(file, OPENERS.get(kind))


def zip_members(file: IO[bytes]) -> Iterator[tuple[Member, IO[bytes] | None]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            path = safe_path(info.filename)
            if info.is_dir():
                yield Member(path, True, 0), None
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield Member(path, False, 0, link_target(path, archive.read(info).decode("utf-8", "replace"))), None
            else:
                with archive.open(info) as data:
                    yield Member(path, False, info.file_size), data


def tar_members(file: IO[bytes], opener) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """`opener` undoes the compression; without one the tar is plain."""
    stream = opener(file) if opener else file
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            yield tar_member(info), archive.extractfile(info) if info.isreg() else None
        end = archive.offset
    if opener:
        while stream.read(CHUNK):
            pass  # the checksum stands behind the last member
    else:
        file.seek(end)
        if file.read(len(TAR_END)) != TAR_END:  # tarfile takes a broken header or a missing one for the end
            raise tarfile.ReadError("unexpected end")


def tar_member(info: tarfile.TarInfo) -> Member:
    path = safe_path(info.name)
    if info.issym():
        return Member(path, False, 0, link_target(path, info.linkname))
    if info.islnk():  # a hard link's target is seen from the top of the archive
        return Member(path, False, 0, str(safe_path(info.linkname)))
    if not (info.isreg() or info.isdir()):
        raise FetchError(f"the archive holds {info.name}, which is neither a file nor a folder: not unpacked")
    return Member(path, info.isdir(), info.size)


def safe_path(name: str) -> PurePosixPath:
    """The path of a member, on any system inside the folder that it is unpacked into. Raises FetchError."""
    windows = PureWindowsPath(name)
    if name.startswith("/") or windows.anchor or ".." in windows.parts:
        raise FetchError(f"the archive holds a path that leads out of its folder: {name}; not unpacked")
    return PurePosixPath(name)


def link_target(path: PurePosixPath, link: str) -> str:
    """Where a symbolic link at `path` leads, seen from the top of the archive. Raises FetchError for outside."""
    target = posixpath.normpath(path.parent / link)
    if link.startswith("/") or target.split("/")[0] == "..":
        raise FetchError(f"the archive holds a link that leads out of its folder: {path} to {link}; not unpacked")
    return target
