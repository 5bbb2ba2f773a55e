"""Reads configs/sources.yaml, or a mirror's file of the same form."""

from __future__ import annotations  # for the doctor, which an old Python can run

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import yaml

SOURCES = Path(__file__).resolve().parents[2] / "configs" / "sources.yaml"
DATASET_KEYS = ("split", "files", "folders", "note")
FILE_KEYS = ("url", "drive", "page", "name", "extract", "keep", "inner", "makes", "size", "what", "mirrors")


class SourcesError(Exception):
    """A file of sources that cannot be used; the message names it and the entry."""


@dataclass(frozen=True)
class File:
    """One file of a distribution: where it comes from and what is made of it; see configs/sources.yaml."""

    name: str  # empty where it can only be downloaded by hand, unpacked
    urls: tuple[str, ...] = ()
    drive: str = ""
    page: str = ""
    extract: str = ""  # empty where the file itself is what is wanted
    keep: str = ""
    inner: str = ""
    makes: tuple[str, ...] = ()  # empty: the loader's folder of images
    size: int = 0  # bytes, 0 where unknown
    what: str = ""
    mirrors: tuple[File, ...] = ()  # the same from elsewhere, tried where these addresses do not bring all of it

    @property
    def is_archive(self) -> bool:
        return bool(self.extract)

    @property
    def addresses(self) -> tuple[str, ...]:
        drive = (f"https://drive.google.com/uc?id={self.drive}",) if self.drive else ()
        return (*self.urls, *drive, *((self.page,) if self.page else ()))


@dataclass(frozen=True)
class Sources:
    """What download.py knows about one dataset."""

    split: File | None = None  # its name is the loader's
    files: tuple[File, ...] = ()
    folders: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def has_files_by_hand(self) -> bool:
        """Whether some of it can only be downloaded by hand."""
        return any(not file.name for file in self.files)


def read_sources(mirror: Path | None = None) -> dict[str, Sources]:
    """Sources by dataset; those of `mirror` take the place of the project's own. Raises SourcesError."""
    sources = read_file(SOURCES)
    return sources | read_file(mirror) if mirror else sources


def read_file(path: Path) -> dict[str, Sources]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SourcesError(f"{path} cannot be read as a file of sources: {error}") from error
    if not isinstance(raw, dict):
        raise SourcesError(f"{path} should hold sources by name of dataset, as configs/sources.yaml does.")
    sources = {}
    for name, entry in raw.items():
        try:
            sources[name] = parse_dataset(entry)
        except (ValueError, TypeError) as error:
            raise SourcesError(f"{path}: {name}: {error}") from error
    return sources


def parse_dataset(entry: dict) -> Sources:
    check_keys(entry, DATASET_KEYS)
    split = parse_file({"name": "split"} | entry["split"]) if entry.get("split") else None
    files = tuple(parse_file(file) for file in entry.get("files", ()))
    return Sources(split, files, dict(entry.get("folders", {})), entry.get("note", ""))


def parse_file(entry: dict) -> File:
    """One entry of `files`. Raises ValueError and TypeError for what is not one."""
    check_keys(entry, FILE_KEYS)
    urls, makes = as_tuple(entry.get("url")), as_tuple(entry.get("makes"))
    name = entry.get("name") or (PurePosixPath(urlsplit(urls[0]).path).name if urls else "")
    if not name and not entry.get("page"):
        raise ValueError(f"a file needs url, drive and name, or page: {entry}")
    if not isinstance(entry.get("size", 0), int):
        raise ValueError(f"size is a number of bytes: {entry}")
    paths = [entry.get("extract", ""), entry.get("keep", ""), entry.get("inner", ""), *makes]
    if name != PurePosixPath(name).name or any(PurePosixPath(p).is_absolute() or ".." in p.split("/") for p in paths):
        raise ValueError(f"name, extract, keep, inner and makes stay inside the dataset's folder: {entry}")
    extract = entry.get("extract") or ("." if entry.get("keep") else "")
    return File(
        name=name,
        urls=urls,
        mirrors=tuple(parse_mirror(entry, mirror) for mirror in entry.get("mirrors", ())),
        extract=extract,
        makes=makes if extract or not name else (name,),
        **{key: entry[key] for key in ("drive", "page", "keep", "inner", "size", "what") if key in entry},
    )


def parse_mirror(entry: dict, mirror: dict) -> File:
    """A file as its entry has it, but for what the mirror says otherwise, and where it comes from."""
    check_keys(mirror, tuple(key for key in FILE_KEYS if key not in ("mirrors", "makes", "page", "what")))
    elsewhere = {key: value for key, value in entry.items() if key not in ("url", "drive", "name", "mirrors", "size")}
    return parse_file(elsewhere | mirror)


def check_keys(entry: object, known: tuple[str, ...]) -> None:
    if not isinstance(entry, dict):
        raise TypeError(f"{entry!r} should be a mapping with keys among {', '.join(known)}")
    if unknown := [key for key in entry if key not in known]:
        raise ValueError(f"unknown {', '.join(map(str, unknown))}; there are {', '.join(known)}")


def as_tuple(value: str | list | None) -> tuple[str, ...]:
    """One or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value or ())
