"""Files, folders, images, seeds, and a description of the machine."""

import contextlib
import json
import os
import platform
import random
import urllib.request
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image


def mkdir_if_missing(dirname: str | Path) -> None:
    """Make the folder `dirname` and those above it."""
    os.makedirs(dirname, exist_ok=True)


def check_isfile(fpath: str | Path) -> bool:
    """Return whether `fpath` is a file, with a warning if not."""
    found = os.path.isfile(fpath)
    if not found:
        warnings.warn(f"There is no file {str(fpath)!r}", stacklevel=2)
    return found


def read_json(fpath: str | Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(fpath).read_text(encoding="utf-8"))


def write_json(obj: Any, fpath: str | Path) -> None:
    """Write `obj` as JSON with indent 4, making the folder if need be."""
    mkdir_if_missing(os.path.dirname(fpath) or ".")
    Path(fpath).write_text(json.dumps(obj, indent=4), encoding="utf-8")


def write_whole(path: str | Path, content: bytes | memoryview) -> None:
    """Put a file of this content in place of the one that may be there; a crash leaves one of them, whole.

    Raises OSError, which names the file.
    """
    part = f"{path}.part"
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(os.path.dirname(path) or ".")
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync_folder(folder: str) -> None:
    """Have a rename survive a power cut, where the file system can do that for folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def set_random_seed(seed: int) -> None:
    """Seed random, numpy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)


def read_image(path: str | Path) -> Image.Image:
    """Return the image as RGB; trainers/blocks/engine/images.py takes its place, in Dassl too."""
    with Image.open(path) as image:
        return image.convert("RGB")


def listdir_nohidden(path: str | Path, sort: bool = False) -> list[str]:
    """Return the names in folder `path` that do not begin with a dot, in the folder's order or sorted."""
    names = [name for name in os.listdir(path) if not name.startswith(".")]
    return sorted(names) if sort else names


def tolist_if_not(x: Any) -> list:
    """Return `x` if it is a list, else a list of it."""
    return x if isinstance(x, list) else [x]


def download_url(url: str, dst: str | Path, from_gdrive: bool = False) -> None:
    """Download `url` to the file `dst`; `from_gdrive` needs the package gdown.

    Nothing is left under the name `dst` unless the download was complete.
    """
    print(f"* url: {url}\n* destination: {dst}")
    partial = f"{dst}.part"
    if from_gdrive:
        import gdown

        if gdown.download(url, partial, quiet=False) is None:
            raise OSError(f"Cannot download {url} from Google Drive")
    else:
        urllib.request.urlretrieve(url, partial)
    os.replace(partial, dst)


def collect_env_info() -> str:
    """Return a few lines on the machine and the versions of what computes.

    torch.utils.collect_env says more, and takes seconds to ask pip and drivers; each run would wait for that.
    """
    cuda = torch.cuda.is_available()
    gpus = range(torch.cuda.device_count() if cuda else 0)
    rows: Sequence[tuple[str, object]] = [
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("Platform", platform.platform()),
        ("CPU threads", f"{torch.get_num_threads()} of {os.cpu_count()}"),
        ("CUDA", torch.version.cuda if cuda else "not used"),
        *[(f"GPU {i}", torch.cuda.get_device_name(i)) for i in gpus],
        *[(name, _version(name)) for name in ("torch", "torchvision", "numpy", "Pillow", "scikit-learn")],
    ]
    return "\n".join(f"{name}: {value}" for name, value in rows)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
