"""Items on disk: split files, and whether the images that items name are there."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import numpy as np
from dassl.data.datasets import Datum

PARTS = ("train", "val", "test")
AT_ONCE = 16  # folders listed at a time: on a network disk most of the time is waiting
NAMED = 5  # how many of the missing files or classes a message names

Parts = tuple[list[Datum], ...]


class DatasetError(Exception):
    """A dataset that is missing, incomplete or malformed; the message names the file and the way out."""


def read_split(path: Path, image_dir: Path, parts: Iterable[str] = PARTS) -> Parts:
    """Items of a split file in CoOp's form, {part: [[path relative to image_dir, label, class name], ...]}."""
    folder = str(image_dir)
    try:
        split = json.loads(path.read_text(encoding="utf-8"))
        return tuple([as_item(folder, *row) for row in split[part]] for part in parts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"{path} is not a readable split file ({type(error).__name__}: {error}).\n"
            'It should be JSON: {"train": [["image.jpg", 0, "class name"], ...], "val": ..., "test": ...}.\n'
            "Put the published file there again, or delete it."
        ) from error


def as_item(folder: str, image: str, label: int | str, classname: str) -> Datum:
    """An entry of a split file; raises ValueError or TypeError for what is none."""
    if isinstance(label, bool | float) or int(label) < 0:
        raise ValueError(f"label {label!r} of {image!r} is no whole number from 0 on")
    if not (isinstance(classname, str) and isinstance(image, str) and image):
        raise TypeError(f"entry {[image, label, classname]!r} is no image, label and class name")
    if "\0" in image:
        raise ValueError(f"{image!r} is no file name")
    if not is_text(image + classname):
        raise ValueError(f"{image + classname!r} has half a character, which JSON can hold and a path cannot")
    return Datum(impath=os.path.join(folder, image), label=int(label), classname=classname)


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: a half of a pair of surrogates cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_split(parts: dict[str, list[Datum]], path: Path, image_dir: Path, replace: bool = False) -> None:
    """Writes a split file whole or not at all; one that is there stays, unless it is to be replaced.

    So of runs that start together the first to write settles what all of them read.
    """
    split = {
        part: [[relative_path(item, image_dir), item.label, item.classname] for item in items]
        for part, items in parts.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        unfinished.write_text(json.dumps(split), encoding="utf-8")
        put_in_place(unfinished, path, replace)
    finally:
        unfinished.unlink(missing_ok=True)


def put_in_place(unfinished: Path, path: Path, replace: bool) -> None:
    if not replace:
        try:
            os.link(unfinished, path)
            return
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            pass
    os.replace(unfinished, path)


def relative_path(item: Datum, image_dir: Path) -> str:
    """The item's path below image_dir, with slashes."""
    return item.impath.removeprefix(f"{image_dir}{os.sep}").replace(os.sep, "/")


def find_among(known: Iterable[Datum], wanted: Sequence[Datum], image_dir: Path) -> list[Datum] | None:
    """The known items that `wanted` stands for, whatever folder its paths begin with; None unless all are known.

    Paths are compared by the longest end that is a path below image_dir.
    """
    by_path = {relative_path(item, image_dir): item for item in known}
    found = [longest_end(item.impath.replace("\\", "/"), by_path) for item in wanted]
    same = all(
        item is not None and (item.label, item.classname) == (other.label, other.classname)
        for item, other in zip(found, wanted, strict=True)
    )
    return found if same else None


def longest_end(path: str, by_path: dict[str, Datum]) -> Datum | None:
    while path not in by_path:
        _, slash, path = path.partition("/")
        if not slash:
            return None
    return by_path[path]


def user_cache(folder: Path) -> Path:
    """Where to store what belongs to a folder that cannot be written."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(caches, "ship-dassl", f"{folder.name}-{key}")


def missing_images(items: Iterable[Datum]) -> list[str]:
    """Paths of the items whose image is not there, in the order of their folders.

    Each folder is listed once, several at a time: on a network disk that is much faster than asking for each file.
    """
    wanted = defaultdict(dict)  # folder ─▶ names, in order, each once
    for item in items:
        folder, name = os.path.split(item.impath)
        wanted[folder][name] = None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        listings = pool.map(file_names, wanted)
        return [
            path
            for (folder, names), present in zip(wanted.items(), listings, strict=True)
            for path in (os.path.join(folder, name) for name in names if name not in present)
            # a disk that ignores case, or composes accents in another way, has files under other names
            if not (present and os.path.exists(path))
        ]


def file_names(folder: str) -> set[str]:
    """Names of what is in a folder; none if it cannot be listed."""
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def first_few(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def read_mat(path: Path, key: str) -> np.ndarray:
    """The one row (N,) of an array in a MATLAB file."""
    from scipy.io import loadmat  # takes a while, and only the lists of two datasets need it

    return loadmat(path)[key][0]
