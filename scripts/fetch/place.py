"""Unpacks one archive of a dataset: beside its place first, then into it, so that nothing half-unpacked is seen."""

import shutil
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from tqdm import tqdm

from .errors import DiskFullError, FetchError
from .sources import File
from .unpack import check, unpack

TEMPORARY = ".unpack-"


def place(file: File, path: Path, folder: Path) -> None:
    """Unpacks the archive at `path` as `file` says, under `folder`.

    Raises FetchError: then `folder` is as it was, unless something there was in the way.
    """
    check_space(folder, check(path).size, f"unpacking {file.name}")
    with TemporaryDirectory(prefix=TEMPORARY, dir=folder, ignore_cleanup_errors=True) as temp:
        merge(unpacked(file, path, Path(temp)), folder / file.extract, last=file.makes)


def unpacked(file: File, path: Path, temp: Path) -> Path:
    """The folder in `temp` with what is to be moved; it holds what the file should make. Raises FetchError."""
    made = temp / "outer"
    unpack(path, made, file.keep)
    if file.inner and (inner := made / file.inner).is_file():
        check(inner)
        made = temp / "inner"
        unpack(inner, made)
    for target in file.makes:
        if not (made / PurePosixPath(target).relative_to(file.extract)).exists():
            found = (
                ", ".join(sorted(entry.name for entry in made.iterdir())[:5]) if made.is_dir() else "nothing of it"
            )
            raise FetchError(f"it should hold {file.keep or target}, and has {found}")
    return made


def merge(source: Path, target: Path, last: tuple[str, ...] = ()) -> None:
    """Moves what `source` holds into `target`, folder by folder; files of the same name are replaced.

    What stands for the step's being finished, the paths `last`, is moved last.
    """
    target.mkdir(parents=True, exist_ok=True)
    tops = {part for path in last for part in PurePosixPath(path).parts}
    for entry in sorted(source.iterdir(), key=lambda entry: entry.name in tops):
        to = target / entry.name
        if entry.is_dir() and to.is_dir():
            merge(entry, to)
        elif to.exists() and entry.is_dir() != to.is_dir():
            raise FetchError(f"{to} is in the way: a {'file' if entry.is_dir() else 'folder'} of the same name")
        else:
            shutil.move(entry, to)


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raises DiskFullError unless `needed` bytes are free in `folder`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFullError(
            f"{what}: about {size_text(needed)} are needed in {folder}, and {size_text(free)} are free. "
            "Make room, or name another disk with --data."
        )


def remove_stale(folder: Path) -> None:
    """Removes what killed runs were unpacking; only for who holds the folder's lock."""
    for stale in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(stale, ignore_errors=True)


def size_text(size: float) -> str:
    """Bytes with a decimal unit, such as 792MB."""
    return tqdm.format_sizeof(size, "B")
