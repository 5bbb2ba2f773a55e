"""Features of images on disk: what one run has encoded, other runs read, bit for bit.

Each file, `<dataset>/<what>-<key>-<images>.npz`, has the features of the images that one run encoded because no file
with this key had them; so runs on parts of a dataset share the images that they have in common. The key is a hash of
all that the features' bits depend on beside the image. Files are written whole or not at all, so any number of runs
can share a folder; any file can be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .batches import Batch, EncodeRows

FORMAT = 4  # counted up when the same image comes to other bits, or files have another form
LIMIT = 20 * 10**9  # bytes; beyond, files that have not been read for longest are deleted
AT_ONCE = 16  # questions to the disk
HASH = 32  # hexadecimal digits of an image's name here, and of a key


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
    return hash_of_tensors(module.state_dict())


def hash_of_tensors(named: Mapping[str, Tensor]) -> str:
    """A hash of tensors with their names, types and shapes."""

    def parts() -> Iterable[bytes]:
        for name, tensor in named.items():
            yield f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode()
            yield tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data

    return digest(parts())


def hash_of_image(path: str) -> str:
    """A hash of a file's absolute path, size and time of the last change. Raises OSError."""
    about = os.stat(path)
    return digest([f"{os.path.abspath(path)}\0{about.st_size} {about.st_mtime_ns}".encode()])[:HASH]


class FeatureCache:
    """Features by what they were made from; `about`, JSON, is what all of a run's have in common.

    Without a folder nothing is read or written. What goes wrong with the disk costs the cache, not the run.
    """

    def __init__(self, folder: Path | None, dataset: str, about: object) -> None:
        self.folder, self.about = folder and folder / dataset, about
        self.hashes: dict[str, str] = {}  # of images, by path: each is asked for once in a run

    def batch(
        self,
        what: str,
        items: Sequence,
        about: object,
        device: torch.device,
        encode: EncodeRows,
        marks: Sequence[str] = (),
    ) -> Batch:
        """Features (N, D) and labels (N,) of items with impath and label: stored ones, else `encode`'s.

        `what` is a word for the file's name, `about`, JSON, what sets these features apart from the run's others.
        `marks`, one for each item, tell apart what is made of the same image: its views.
        """
        everything = range(len(items))
        if self.folder is None:
            return encode(everything)
        try:
            images = self.hashes_of([item.impath for item in items])
        except OSError:  # an image is not there, or not a file: the loader has more to say on that
            return encode(everything)
        if marks:
            images = np.char.add(images, np.array(marks, dtype=bytes))
        described = json.dumps([FORMAT, self.about, about], sort_keys=True)
        stem = f"{what}-{digest([described.encode()])[:HASH]}"
        features, missing = self.read(stem, images)
        if len(missing):
            made, labels = encode(missing.tolist())
            self.write(stem, images[missing], made)
            if features is None:
                return made, labels
            features[missing] = made.float().cpu().numpy()
        return torch.from_numpy(features).to(device), torch.tensor([item.label for item in items], device=device)

    def hashes_of(self, paths: Sequence[str]) -> np.ndarray:
        """A hash (N,) of each image's file. Many are asked for at once, as a network disk answers slowly."""
        new = [path for path in dict.fromkeys(paths) if path not in self.hashes]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda some: list(map(hash_of_image, some)), (new[i::AT_ONCE] for i in range(AT_ONCE)))
            for index, hashes in enumerate(found):
                self.hashes.update(zip(new[index::AT_ONCE], hashes, strict=True))
        return np.array([self.hashes[path] for path in paths], dtype=f"S{HASH}")

    def read(self, stem: str, images: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Features (N, D) of the images, and the rows (M,) of those that no file has; None where no file has any."""
        features, missing = None, np.arange(len(images))
        for path in sorted(self.folder.glob(f"{stem}-*.npz")):
            found, rows = load_or_delete(path, images[missing])
            if len(found):
                features = np.empty((len(images), found.shape[1]), np.float32) if features is None else features
                features[missing[rows]] = found
                missing = np.delete(missing, rows)
            if not len(missing):
                break
        if features is not None:
            count = len(images) - len(missing)
            print(f"Features of {count:,} of {len(images):,} images read from {self.folder / stem}-….npz")
        return features, missing

    def write(self, stem: str, images: np.ndarray, features: Tensor) -> None:
        """Stores features (N, D) of images (N,) in a file that is there with its whole content or not at all."""
        values = features.detach().float().cpu().contiguous().numpy()
        path = self.folder / f"{stem}-{digest([images.data])[:16]}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".unfinished", delete=False) as file:
                try:
                    np.savez(file, images=images, features=values)
                    file.flush()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            print(f"Warning: features are not kept in {self.folder} ({error.strerror or error}); the run goes on")
        shrink(self.folder.parent, LIMIT)


def load_or_delete(path: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a file has of the images (N,): features (M, D) and which rows of `images` these are (M,).

    A file that is damaged has none, and is deleted.
    """
    nothing = np.empty((0, 0), np.float32), np.empty(0, int)
    try:
        found = load(path, images)
        if len(found[0]):
            os.utime(path)
        return found
    except FileNotFoundError:  # another run has deleted it, to stay within the limit
        return nothing
    except Exception:  # noqa: BLE001 - a damaged archive makes its readers raise almost anything
        print(f"{path} is damaged: the images are encoded again")
        with contextlib.suppress(OSError):
            path.unlink()
        return nothing


def load(path: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of a file that is whole; of one without such images the features are not read.

    The archive has a checksum of each part, which is compared when the part is read.
    """
    with np.load(path) as file:
        stored = file["images"]
        order = np.argsort(stored)
        at = order[np.searchsorted(stored, images, sorter=order).clip(max=len(order) - 1)]
        rows = np.flatnonzero(stored[at] == images)
        if not len(rows):
            return np.empty((0, 0), np.float32), rows
        features = file["features"]
    if features.dtype != np.float32 or features.ndim != 2 or len(features) != len(stored):
        raise ValueError(f"{path} has features {features.shape} of the type {features.dtype}")
    return features[at[rows]], rows


def shrink(folder: Path, limit: int) -> None:
    """Deletes the files that have not been read for longest until the rest is within the limit, in bytes."""
    with contextlib.suppress(OSError):  # another run deletes files too
        files = [(path.stat(), path) for path in folder.glob("*/*.*")]
        total = 0
        for about, path in sorted(files, key=lambda file: file[0].st_mtime, reverse=True):
            total += about.st_size
            if total > limit:
                path.unlink(missing_ok=True)
