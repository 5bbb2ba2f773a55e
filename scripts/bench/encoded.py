"""Which pictures, in which views, runs have encoded: by their records, and by what they left in a cache."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainers.blocks.features.cache import HASH, hash_of_image

ROUNDING = 1e-5  # of what L2-normalized features have, at most
VIEWS = "views"  # how results.json, and files of the cache, call training pictures that are augmented


@dataclass
class Count:
    """Of one kind of pictures: runs that asked for features, those that they read and encoded, and of how many views.

    `again`: by the method that encoded a view that one had encoded before, and that one.
    """

    runs: int = 0
    read: int = 0
    encoded: int = 0
    distinct: int = 0
    again: Counter = field(default_factory=Counter)

    def as_plain(self) -> dict[str, object]:
        again = [{"by": by, "after": after, "views": count} for (by, after), count in self.again.items()]
        return {**vars(self), "again": again}


@dataclass(frozen=True)
class Kept:
    """A feature (D,) in the cache, and the method whose run encoded it."""

    feature: np.ndarray
    method: str


class Encoded:
    """The account of runs that share a cache's folder: each is added when it has ended, before the next one starts.

    `parts` are the dataset's, with its pictures' files: a picture belongs to the first one that has it.
    """

    def __init__(self, folder: Path, parts: Mapping[str, Iterable[str]]) -> None:
        self.folder = folder
        self.parts: dict[str, str] = {}
        for part, paths in parts.items():
            for path in paths:
                self.parts.setdefault(hash_of_image(path), part)
        self.counts: dict[str, Count] = defaultdict(Count)
        self.looked_at: set[Path] = set()
        self.views: dict[tuple[str, str], list[Kept]] = defaultdict(list)  # by kind and by picture and view

    def add(self, method: str, images: Mapping[str, Mapping[str, int]]) -> None:
        """Counts a run, by what its results.json says of `images` and what is new in the folder."""
        unkept = Counter({title: count["encoded"] for title, count in images.items()})
        for title, count in images.items():
            self.counts[title].runs += 1
            self.counts[title].read += count["read"]
            self.counts[title].encoded += count["encoded"]
        for name, feature in self.new():
            title = VIEWS if name[HASH:] else self.parts[name]
            unkept[title] -= 1
            self.see(title, name, Kept(feature, method))
        for title, count in unkept.items():
            if count:
                self.counts[title].again[method, "nobody kept them"] += count

    def new(self) -> Iterator[tuple[str, np.ndarray]]:
        """Names, and features (D,), of what has come since it was last asked."""
        for path in sorted(set(self.folder.glob("*.npz")) - self.looked_at):
            self.looked_at.add(path)
            with np.load(path) as file:
                yield from zip(file["images"].astype(str), file["features"], strict=True)

    def see(self, title: str, name: str, kept: Kept) -> None:
        """Another seed's view has the same name and another feature."""
        others = self.views[title, name]
        same = (other for other in others if np.abs(other.feature - kept.feature).max() < ROUNDING)
        if before := next(same, None):
            self.counts[title].again[kept.method, before.method] += 1
        else:
            others.append(kept)
            self.counts[title].distinct += 1
