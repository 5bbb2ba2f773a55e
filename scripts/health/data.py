"""What is there of one dataset."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fetch.shortcomings import obstacles, shortcomings
from fetch.sources import Sources
from protocols.catalogue import CatalogueError, Dataset, first_line
from tqdm import tqdm

BATCH = 64  # images that a thread reads before it reports
ON_FIRST_USE = "ready: rendered on first use"


@dataclass(frozen=True)
class Report:
    """A dataset's row in the table, and what keeps it from being ready."""

    name: str
    state: str
    folder: str = "–"
    split: str = "–"
    images: str = "–"
    few_shot: str = "–"
    problems: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()  # those of them that no run gets past
    can_be_fetched: bool = False  # whether the downloader has something to add
    by_hand: str = ""  # the page of what it cannot fetch

    @property
    def is_ready(self) -> bool:
        return not self.problems

    @property
    def waits(self) -> bool:
        return self.state == ON_FIRST_USE

    @property
    def is_there(self) -> bool:
        return self.folder == "there"


def examine(name: str, root: Path, sources: dict[str, Sources], deep: bool = False, folder: str = "") -> Report:
    """Looks at everything, and with `deep` into every image; nothing is written. `folder` is imagefolder's."""
    from datasets.splits import first_few

    try:
        dataset = Dataset(name, root, folder)
    except CatalogueError as error:  # a configuration that leaves a choice to the user
        problems = (first_line(error),)
        return Report(name, "not set up", problems=problems, obstacles=problems)
    if dataset.is_rendered and not dataset.folder.exists():
        return Report(name, ON_FIRST_USE, folder="missing")
    source = sources.get(name) or sources.get(dataset.kind) or Sources()
    findings, split = dataset.inspect(), split_of(dataset)
    problems = [line for line in shortcomings(dataset, source, findings) if line != dataset.split_missing()]
    if deep and (damaged := unreadable(findings.images, name)):
        problems.append(f"{len(damaged):,} images cannot be read; delete them first ({first_few(damaged)})")
    return Report(
        name,
        state_of(dataset, split, problems),
        folder="there" if dataset.folder.is_dir() else "missing",
        split=split,
        images="–" if findings.problem else f"{len(findings.images):,} of {findings.total:,}",
        few_shot=few_shot(dataset.loader.few_shot_files()),
        problems=tuple(problems),
        obstacles=() if dataset.is_rendered else tuple(obstacles(dataset, findings)),
        can_be_fetched=bool(source.files) and (bool(problems) or dataset.lacks_split),
        by_hand=next((file.page for file in source.files if not (file.urls or file.drive)), ""),
    )


def state_of(dataset: Dataset, split: str, problems: Sequence[str]) -> str:
    if problems:
        return "NOT READY" if dataset.folder.is_dir() else "not there"
    return "ready" if split in ("published", "–") else "ready, without the published split"


def split_of(dataset: Dataset) -> str:
    """Which split runs would read: the published one, one that was drawn, or neither yet."""
    from datasets.fewshot import DRAWN_SPLIT

    if not dataset.loader.split:
        return "–"
    if not dataset.lacks_split:
        return "published"
    return "drawn" if any(path.is_file() for path in dataset.loader.places(DRAWN_SPLIT)) else "missing"


def few_shot(paths: Sequence[Path]) -> str:
    """Samples that are stored, as `16 (1 2 3)`: shots and their seeds."""
    seeds = defaultdict(set)
    for path in paths:  # shot_16-seed_1.json
        shots, seed = (part.rpartition("_")[2] for part in path.stem.split("-", 1))
        seeds[shots].add(seed)
    return ", ".join(f"{shots} ({' '.join(sorted(seeds[shots]))})" for shots in sorted(seeds, key=numeric)) or "–"


def numeric(text: str) -> tuple[int, str]:
    return (int(text) if text.isdigit() else 0, text)


def unreadable(paths: Sequence[str], name: str) -> list[str]:
    """Images that do not decode, in order. Headers alone would not show a file that was cut short."""
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    damaged = []
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,  # Pillow decodes outside Python's lock
        tqdm(total=len(paths), desc=f"read {name}", unit="image", disable=None) as bar,
    ):
        for batch, faults in zip(batches, pool.map(damaged_of, batches), strict=True):
            damaged += faults
            bar.update(len(batch))
    return damaged


def damaged_of(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not decodes(path)]


def decodes(path: str) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.draft("RGB", (32, 32))  # JPEG is read to its end, but into few pixels
            image.load()
    except Exception:  # noqa: BLE001 - decoders raise almost anything on damaged files
        return False
    return True
