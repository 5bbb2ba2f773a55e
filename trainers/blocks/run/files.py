"""Files that are written whole or not at all, and their checksums. Scripts use it too, without PyTorch."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ..errors import InputError

# What configurations name files from: the checkout that this is in. Installed, it is in none.
CHECKOUT = Path() if __name__.startswith("ship_dassl.") else Path(__file__).resolve().parents[3]


def replace_file(path: Path, *parts: bytes | memoryview) -> None:
    """As write_whole; raises InputError, which names the file, where that fails."""
    try:
        write_whole(path, *parts)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Puts a file of these parts in place of the one that may be there; a crash leaves one of them, whole.

    Raises OSError where that fails; the old file is then untouched.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink()


OPEN_CLIP, TRANSFORMERS = "open_clip:", "hf:"  # how names begin of backbones by these libraries
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def backbone_file(name: str) -> Path | None:
    """The file that MODEL.BACKBONE.NAME names, looked up in the working directory, then in the checkout.

    Of a folder of transformers' it is that of the weights; None for names that say by themselves what they are.
    """
    if name.startswith(TRANSFORMERS):
        folder = found(name.removeprefix(TRANSFORMERS))
        paths = [folder / file for file in WEIGHTS] if folder else []
        return next((path for path in paths if path.is_file()), None)
    path = open_clip_file(name) if name.startswith(OPEN_CLIP) else found(name)
    return path if path and path.is_file() else None


def open_clip_file(name: str) -> Path | None:
    """What stands behind the two slashes of `open_clip:ARCH//path`; the second may be the first of the path."""
    path = name.partition("//")[2]
    return found(path) or (found(f"/{path}") if path else None)


def found(name: str) -> Path | None:
    """The file or folder of that name, in the working directory or in the checkout."""
    paths = (Path(name).expanduser(), CHECKOUT / name) if name else ()
    return next((path for path in paths if path.exists()), None)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while some := file.read(1 << 20):
            digest.update(some)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Has a rename survive a power cut, where the file system can do that for folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def cannot_write(path: str | Path, error: Exception) -> InputError:
    """The error for a file or folder that cannot be written."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(
        f"Cannot write {path}: {reason}.\n"
        "What was there before is untouched. Free some space or make the folder writable, and start the same "
        "command again; or choose another output folder."
    )
