"""Features of images on disk: what one run has encoded, other runs read, bit for bit.

One file for each pass over a list of images, `<dataset>/<what>-<key>-<checksum>.npy`. The key is a hash of all that
the features' bits depend on. Files are written whole or not at all, so any number of runs can share a folder; any
file can be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .batches import Batch

FORMAT = 2  # counted up when the same image comes to other bits
LIMIT = 20 * 10**9  # bytes; beyond, files that have not been read for longest are deleted


def cache_folder() -> Path:
    """$SHIP_CACHE, or a folder under the user's caches."""
    return Path(os.environ.get("SHIP_CACHE") or Path.home() / ".cache/ship-dassl")


def digest(parts: Iterable[bytes]) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()


def hash_of_weights(module: nn.Module) -> str:
    """A hash of all weights with their names and types."""

    def parts() -> Iterable[bytes]:
        for name, weights in module.state_dict().items():
            yield f"{name} {weights.dtype} {tuple(weights.shape)}".encode()
            yield weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data

    return digest(parts())


def hash_of_images(paths: Sequence[str]) -> str:
    """A hash of a list of files in its order: their absolute paths, sizes and times of the last change."""

    def parts() -> Iterable[bytes]:
        for path in paths:
            about = os.stat(path)
            yield f"{os.path.abspath(path)}\0{about.st_size} {about.st_mtime_ns}\0".encode()

    return digest(parts())


class FeatureCache:
    """Features by what they were made from; `about`, JSON, is what all passes of a run have in common.

    Without a folder nothing is read or written. What goes wrong with the disk costs the cache, not the run.
    """

    def __init__(self, folder: Path | None, dataset: str, about: object) -> None:
        self.folder, self.about = folder and folder / dataset, about

    def batch(
        self, what: str, items: Sequence, about: object, device: torch.device, encode: Callable[[], Batch]
    ) -> Batch:
        """Features (N, D) and labels (N,) of items with impath and label: from disk, else `encode`'s, then stored.

        `what` is a word for the file's name, `about`, JSON, what sets these features apart from the run's others.
        """
        if self.folder is None:
            return encode()
        try:
            images = hash_of_images([item.impath for item in items])
        except OSError:  # an image is not there, or not a file: the loader has more to say on that
            return encode()
        described = json.dumps([FORMAT, self.about, about, images], sort_keys=True)
        stem = f"{what}-{digest([described.encode()])[:32]}"
        stored = self.read(stem, len(items))
        if stored is not None:
            return stored.to(device), torch.tensor([item.label for item in items], device=device)
        features, labels = encode()
        self.write(stem, features)
        return features, labels

    def read(self, stem: str, count: int) -> Tensor | None:
        """The features (N, D), memory-mapped; None where there are none, or where these are damaged."""
        for path in sorted(self.folder.glob(f"{stem}-*.npy")):
            with contextlib.suppress(OSError, ValueError, EOFError):
                found = np.load(path, mmap_mode="c")  # writing to it would change memory, not the file
                if found.dtype == np.float32 and found.ndim == 2 and len(found) == count and is_whole(path, found):
                    os.utime(path)
                    print(f"Features of {count} images read from {path}")
                    return torch.from_numpy(found)
            print(f"{path} is damaged: the images are encoded again")
            with contextlib.suppress(OSError):
                path.unlink()
        return None

    def write(self, stem: str, features: Tensor) -> None:
        """Stores features (N, D) in a file that is there with its whole content or not at all."""
        values = features.detach().float().cpu().contiguous().numpy()
        path = self.folder / f"{stem}-{checksum(values)}.npy"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".unfinished", delete=False) as file:
                try:
                    np.save(file, values)
                    file.flush()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            print(f"Warning: features are not kept in {self.folder} ({error.strerror or error}); the run goes on")
        shrink(self.folder.parent, LIMIT)


def checksum(values: np.ndarray) -> str:
    return digest([str(values.shape).encode(), values.data])[:16]


def is_whole(path: Path, values: np.ndarray) -> bool:
    return path.stem.rsplit("-", 1)[-1] == checksum(values)


def shrink(folder: Path, limit: int) -> None:
    """Deletes the files that have not been read for longest until the rest is within the limit, in bytes."""
    with contextlib.suppress(OSError):  # another run deletes files too
        files = [(path.stat(), path) for path in folder.glob("*/*.*")]
        total = 0
        for about, path in sorted(files, key=lambda file: file[0].st_mtime, reverse=True):
            total += about.st_size
            if total > limit:
                path.unlink(missing_ok=True)
