"""What all loaders share: split files, few-shot sampling, base/new halves."""

import difflib
import json
import math
import os
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from dassl.data.datasets import DatasetBase, Datum

SUBSETS = ("all", "base", "new")
VAL_SHOTS = 4  # a few-shot validation set has at most this many images a class, as in CoOp
VAL_SHARE = 0.2  # of the training images, where a dataset comes without a validation set, as in CoOp


class DatasetError(Exception):
    """A dataset that is missing, incomplete or malformed; the message names the file and the way out."""


class FewShotDataset(DatasetBase):
    """A dataset under `DATASET.ROOT` with a split file, sampled and halved as CoOp's loaders do.

    A loader sets the class attributes and, where the defaults do not fit, overrides `prepare` (make sure that
    the files are there) and `read_lists` or `read_splits` (turn them into items).

    Reads DATASET.ROOT, NUM_SHOTS (below 1: all images), SUBSAMPLE_CLASSES (all, base, new) and SEED. Random
    choices use Python's global `random`, seeded by the run, so that they equal CoOp's for the same seed.

    Raises DatasetError for anything that the user has to put right.
    """

    folder = ""  # under DATASET.ROOT
    images = "images"  # under the folder
    split = ""  # file name of the split, under the folder
    layout = ""  # what the folder must hold, for error messages

    def __init__(self, cfg) -> None:
        self.root = Path(cfg.DATASET.ROOT).expanduser().absolute()
        self.dataset_dir = self.root / self.folder
        self.image_dir = self.dataset_dir / self.images
        self.split_path = self.dataset_dir / self.split
        subset = cfg.DATASET.SUBSAMPLE_CLASSES
        check_subset(subset)

        self.prepare()
        train, val, test = self.read_splits()
        if cfg.DATASET.NUM_SHOTS >= 1:
            train, val = self.few_shot(train, val, cfg.DATASET.NUM_SHOTS, cfg.SEED)
        train, val, test = subsample_classes(train, val, test, subset=subset)
        super().__init__(train_x=train, val=val, test=test)

    def prepare(self) -> None:
        """Makes sure that the dataset's folder is there."""
        if not self.dataset_dir.is_dir():
            raise DatasetError(
                f"{type(self).__name__}: folder {self.dataset_dir} not found.\n"
                f"It should hold {self.layout or f'{self.images}/ and {self.split}'}.\n"
                f"Put the dataset there, or name the folder above it with --root (now {self.root})."
            )

    def read_splits(self) -> tuple[list[Datum], list[Datum], list[Datum]]:
        """Train, val and test items from the split file; without one, from the dataset's own lists."""
        if self.split_path.is_file():
            print(f"Reading split from {self.split_path}")
            return read_split(self.split_path, self.image_dir)
        trainval, test = self.read_lists()
        train, val = split_trainval(trainval)
        write_split({"train": train, "val": val, "test": test}, self.split_path, self.image_dir)
        print(f"Split drawn with this run's seed (the published one was not there): {self.split_path}")
        return train, val, test

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        """Training and test items from the lists of the distribution, for datasets that have them."""
        raise DatasetError(
            f"{type(self).__name__}: split file {self.split_path} not found.\n"
            f"The folder should hold {self.layout or f'{self.images}/ and {self.split}'}."
        )

    def sample(self, train: list[Datum], val: list[Datum], num_shots: int) -> tuple[list[Datum], list[Datum]]:
        """Draws the few-shot training and validation items: training first, which fixes the random numbers."""
        train = self.generate_fewshot_dataset(train, num_shots=num_shots)
        return train, self.generate_fewshot_dataset(val, num_shots=min(num_shots, VAL_SHOTS))

    def few_shot(
        self, train: list[Datum], val: list[Datum], num_shots: int, seed: int
    ) -> tuple[list[Datum], list[Datum]]:
        """The few-shot sample of this seed, kept under split_fewshot/ as soon as it has been drawn once."""
        cache = self.dataset_dir / "split_fewshot" / f"shot_{num_shots}-seed_{seed}.json"
        if cache.is_file():
            known = {(item.impath, item.label, item.classname) for item in (*train, *val)}
            kept = read_split(cache, self.image_dir, parts=("train", "val"))
            if all((item.impath, item.label, item.classname) in known for part in kept for item in part):
                print(f"Loading preprocessed few-shot data from {cache}")
                return kept
            print(f"Few-shot data in {cache} is of another split: drawing it again")
        train, val = self.sample(train, val, num_shots)
        try:
            write_split({"train": train, "val": val}, cache, self.image_dir)
            print(f"Saving preprocessed few-shot data to {cache}")
        except OSError as error:  # a read-only DATA: the seed gives the same sample next time
            print(f"Few-shot data not kept: {error}")
        return train, val


def check_subset(subset: str) -> None:
    """Raises DatasetError unless `subset` is one of all, base, new."""
    if subset not in SUBSETS:
        near = difflib.get_close_matches(str(subset), SUBSETS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise DatasetError(f"DATASET.SUBSAMPLE_CLASSES is {subset!r}; it can be {', '.join(SUBSETS)}.{hint}")


def read_split(path: Path, image_dir: Path, parts: Iterable[str] = ("train", "val", "test")) -> tuple[list, ...]:
    """Items of a split file in CoOp's form, {part: [[path relative to image_dir, label, class name], ...]}."""
    try:
        split = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            [Datum(impath=str(image_dir / p), label=int(label), classname=name) for p, label, name in split[part]]
            for part in parts
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is not a readable split file ({type(error).__name__}: {error}).\n"
            'It should be JSON: {"train": [["image.jpg", 0, "class name"], ...], "val": ..., "test": ...}.\n'
            "Put the published file there again, or delete it."
        ) from error


def write_split(parts: dict[str, list[Datum]], path: Path, image_dir: Path) -> None:
    """Writes a split file whole or not at all, so that runs that start together never read half of one."""
    split = {
        part: [[os.path.relpath(item.impath, image_dir), item.label, item.classname] for item in items]
        for part, items in parts.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(json.dumps(split), encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def split_trainval(trainval: list[Datum], share: float = VAL_SHARE) -> tuple[list[Datum], list[Datum]]:
    """Sets `share` of each class aside for validation; matches CoOp's split for the same random state."""
    by_label = defaultdict(list)
    for item in trainval:
        by_label[item.label].append(item)
    train, val = [], []
    for items in by_label.values():
        random.shuffle(items)
        count = round(len(items) * share)
        val += items[:count]
        train += items[count:]
    return train, val


def subsample_classes(*parts: list[Datum], subset: str) -> tuple[list[Datum], ...]:
    """Keeps the base classes (the first ceil(n / 2) labels of the first part) or the new ones, relabelled from 0."""
    if subset == "all":
        return parts
    print(f"SUBSAMPLE {subset.upper()} CLASSES!")
    labels = sorted({item.label for item in parts[0]})
    half = math.ceil(len(labels) / 2)
    kept = labels[:half] if subset == "base" else labels[half:]
    if not kept:
        raise DatasetError(f"The dataset has {len(labels)} class: no {subset} classes are left of it.")
    relabel = {label: index for index, label in enumerate(kept)}
    return tuple(
        [
            Datum(impath=item.impath, label=relabel[item.label], domain=item.domain, classname=item.classname)
            for item in part
            if item.label in relabel
        ]
        for part in parts
    )
