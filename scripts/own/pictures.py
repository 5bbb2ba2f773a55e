"""Picture files that a command line names: files, and what is in folders."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def find_pictures(paths: Sequence[Path], endings: tuple[str, ...]) -> list[str]:
    """Files as they are named, of folders all with such an ending, at any depth; each once. Raises ValueError."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ValueError(f"there is no {', '.join(missing)}")
    empty = [str(path) for path in paths if path.is_dir() and not any(below(path, endings))]
    if empty:
        raise ValueError(f"no pictures in {', '.join(empty)}; they are told by their endings: {' '.join(endings)}")
    files: Iterable[str] = (
        file for path in paths for file in (below(path, endings) if path.is_dir() else [str(path)])
    )
    return list(dict.fromkeys(files))


def below(folder: Path, endings: tuple[str, ...]) -> Iterator[str]:
    """Pictures in a folder and those in it, sorted; hidden ones are passed over."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            os.path.join(parent, name)
            for name in sorted(names)
            if name.lower().endswith(endings) and not name.startswith(".")
        )
