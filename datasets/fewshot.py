"""What all loaders share: finding the files, few-shot sampling, base/new halves, checks."""

import io
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from dassl.data.datasets import DATASET_REGISTRY, DatasetBase, Datum

from .label_only import KEY as LABEL_ONLY
from .label_only import names_in, split_classes
from .long_tail import KEY as LONGTAIL
from .long_tail import counts_by_label, first_of_each, groups_of
from .parts import (
    by_label,
    check_subset,
    first_half,
    keep_classes,
    labels_of,
    random_half,
    split_trainval,
    without_held_out,
)
from .splits import DatasetError, Parts, find_among, first_few, missing_images, read_split, user_cache, write_split
from .upstream_cache import read_upstream_cache

VAL_SHOTS = 4  # a few-shot validation set has at most this many images a class, as in CoOp
FEW_SHOT = "split_fewshot"  # folder of the saved few-shot samples, as CoOp calls it
DRAWN_SPLIT = "split_drawn.json"  # where a split was drawn for want of the published one, under the folder


class FewShotDataset(DatasetBase):
    """A dataset under `DATASET.ROOT`, sampled and halved as CoOp's loaders do.

    A loader sets the class attributes and, where a published split file is not all there is, overrides one of
    `read_splits` (the distribution has all three lists), `draw_splits` or `read_lists` (it leaves something to
    chance, and what was drawn is saved). `read_splits` is called with the paths set: root, dataset_dir (root/folder),
    image_dir (dataset_dir/images) and split_path (dataset_dir/split).

    Reads DATASET.ROOT, NUM_SHOTS (below 1: all images), SUBSAMPLE_CLASSES (all, base, new), CLASS_DRAW (which
    classes are base), HELD_OUT (how many of these are left out, as if they were new), LABEL_ONLY (classes of which
    only the names are known), LONGTAIL (few-shot images by class fall to none) and SEED. Random choices use Python's
    global `random`, seeded by the run, so that they equal CoOp's for the same seed. What was drawn is saved as JSON
    under split_fewshot/ or, where DATA is read-only, in the user's cache folder.

    `class_ids` tell classes apart in `class_list`, the same in all parts of a dataset: labels before it is halved.

    For tools: `located(cfg)` gives the paths without reading anything, `listed(cfg)` all items as the lists have
    them, `few_shot_files()` the samples that are saved. These need no more of cfg than DATASET.ROOT.

    Raises DatasetError for anything that the user has to put right.
    """

    config_name = ""  # of configs/datasets/<name>.yaml and scripts/download.py; by default the module's name
    folder = ""  # under DATASET.ROOT
    images = "images"  # under the folder
    split = ""  # file name of the published split, under the folder; "" where there is none
    layout = ""  # what the folder must hold, for error messages
    test_only = False  # there are no training images: train_x is the test set, neither sampled nor halved
    held_out = 0  # base classes that are left out, as if they were new
    writes = True  # saves what it draws; False for tools
    left_out: Sequence[str] = ()  # names of the classes that SUBSAMPLE_CLASSES leaves out, in the order of labels
    named: Sequence[Datum] = ()  # in place of images, an item of each class of which only the name is known
    groups: Mapping[str, Sequence[int]] = MappingProxyType({})  # labels by group, of which figures are reported

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        cls.config_name = vars(cls).get("config_name") or cls.__module__.rpartition(".")[2]

    def __init__(self, cfg) -> None:
        subset = cfg.DATASET.SUBSAMPLE_CLASSES
        check_subset(subset)
        self.class_split = getattr(cfg.DATASET, "CLASS_DRAW", 0)  # another checkout's train.py has no such key
        self.held_out = getattr(cfg.DATASET, "HELD_OUT", 0) if subset == "base" else 0
        self.locate(cfg)
        self.prepare()
        self.check_folder()
        parts = self.read_splits()
        self.check_classes(*parts)
        self.class_ids = self.ids_of(sorted({item.label for item in parts[0]}))
        if not self.test_only:
            parts = self.choose(*parts, cfg.DATASET.NUM_SHOTS, cfg.SEED, subset)
        names, share = getattr(cfg.DATASET, "LABEL_ONLY", ""), getattr(cfg.DATASET, "LONGTAIL", 0.0)
        if names and share:
            raise DatasetError(f"{self.title}: {LONGTAIL} draws the classes without images: leave out {LABEL_ONLY}.")
        if names:
            self.check_all_classes(LABEL_ONLY, subset)
            parts = self.leave_names(*parts, *split_classes(parts[0], names_in(names)))
        if share:
            self.check_all_classes(LONGTAIL, subset)
            parts = self.leave_few(*parts, cfg.DATASET.NUM_SHOTS, share, cfg.SEED)
        self.check_images(*parts)
        train, val, test = parts
        super().__init__(train_x=train, val=val, test=test)

    # --- for tools

    @classmethod
    def located(cls, cfg) -> "FewShotDataset":
        """A loader that knows its paths and has read nothing; it writes nothing either."""
        loader = cls.__new__(cls)
        loader.locate(cfg)
        loader.writes = False
        return loader

    @classmethod
    def listed(cls, cfg) -> Parts:
        """All train, val and test items: neither sampled, halved nor checked; silent, and nothing is written."""
        loader = cls.located(cfg)
        loader.check_folder()
        with redirect_stdout(io.StringIO()):
            return loader.read_splits()

    def few_shot_files(self) -> list[Path]:
        """Few-shot samples that are saved, upstream's among them."""
        return sorted(
            path
            for folder in self.places(FEW_SHOT)
            for path in folder.glob("shot_*-seed_*.*")
            if path.suffix in (".json", ".pkl")
        )

    # --- where the files are

    def locate(self, cfg) -> None:
        """Sets the paths."""
        self.root = Path(cfg.DATASET.ROOT).expanduser().absolute()
        self.dataset_dir = self.root / self.folder
        self.image_dir = self.dataset_dir / self.images
        self.split_path = self.dataset_dir / self.split

    def prepare(self) -> None:
        """Makes what the loader makes itself, for those that do."""

    def check_folder(self) -> None:
        """Raises DatasetError unless the dataset's folder is there."""
        if not self.dataset_dir.is_dir():
            raise DatasetError(
                f"{self.title}: folder {self.dataset_dir} not found.\n{self.remedy()}\n"
                f"If you have it elsewhere, name the folder above it {self.by_option}."
            )

    @property
    def class_list(self) -> str:
        """What the class ids are unique in."""
        return type(self).__name__

    @property
    def title(self) -> str:
        return type(self).__name__

    @property
    def by_option(self) -> str:
        """How a command is told DATASET.ROOT, for messages."""
        return f"with --data or DATA, for train.py with --root (now {self.root})"

    def remedy(self) -> str:
        """What to do about something missing: the last lines of a message."""
        what = self.layout or f"{self.images}/{f' and {self.split}' if self.split else ''}"
        return f"{self.dataset_dir} should hold {what}.\n{self.source()}"

    def source(self) -> str:
        """Where the dataset comes from."""
        return f"To get it: {self.download_command}"

    @property
    def download_command(self) -> str:
        return f"python scripts/download.py {self.config_name} --data {shlex.quote(str(self.root))}"

    # --- reading lists

    @contextmanager
    def reading(self, path: Path) -> Iterator[Path]:
        """Turns whatever goes wrong with a file of the distribution into a DatasetError that names it."""
        try:
            yield path
        except DatasetError:
            raise
        except Exception as error:  # malformed lists and .mat files make their readers raise almost anything
            also = f", and there is no {self.split_path}" if self.split else ""
            raise DatasetError(
                f"{self.title}: {path} cannot be read ({type(error).__name__}: {error}){also}.\n{self.remedy()}"
            ) from error

    def read_lines(self, path: Path) -> list[str]:
        """Lines of a list, without those that are empty."""
        with self.reading(path):
            return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

    def item(self, image: str, label: int, classname: str) -> Datum:
        """An item with its path relative to the image folder."""
        return Datum(impath=os.path.join(self.image_dir, image), label=label, classname=classname)

    # --- the items

    def read_splits(self) -> Parts:
        """Train, val and test items from the split file; without one, drawn once from the dataset's own lists."""
        for path in (self.split_path, *self.places(DRAWN_SPLIT)):
            if path.is_file():
                print(f"Reading split from {path}")
                return read_split(path, self.image_dir)
        train, val, test = self.draw_splits()
        self.check_classes(train, val, test)  # lists that are at fault leave nothing behind
        print("The split is drawn with this run's seed.")
        if self.split:
            print(f"Figures compare with published ones on the published split, {self.split}. {self.source()}")
        return self.save({"train": train, "val": val, "test": test}, DRAWN_SPLIT)

    def draw_splits(self) -> Parts:
        """Train, val and test items where no split was published, or it is not there."""
        trainval, test = self.read_lists()
        return *split_trainval(trainval), test

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        """Training and test items from the lists of the distribution, for datasets that have them."""
        raise DatasetError(f"{self.title}: split file {self.split_path} not found.\n{self.remedy()}")

    # --- what was drawn is saved

    def places(self, name: str) -> list[Path]:
        """Where a file that the loader saves may be: beside the dataset, else in the user's cache."""
        return [self.dataset_dir / name, user_cache(self.dataset_dir) / name]

    def save(self, parts: dict[str, list[Datum]], name: str, replace: bool = False) -> Parts:
        """Saves what was drawn; gives it back, or what another run has saved meanwhile."""
        for path in self.places(name) if self.writes else ():
            try:
                write_split(parts, path, self.image_dir, replace)
            except OSError as error:  # a read-only DATA
                print(f"{path} not written: {error}")
                continue
            print(f"Kept in {path}")
            return read_split(path, self.image_dir, parts)
        return tuple(parts.values())

    # --- few-shot samples and halves

    def choose(self, train: list, val: list, test: list, num_shots: int, seed: int, subset: str) -> Parts:
        """Samples, then halves: so base and new classes are parts of the same sample."""
        if num_shots >= 1:
            say_what_is_short(train, num_shots)
            train, val = self.few_shot(train, val, num_shots, seed)
        base_labels = partial(random_half, split=self.class_split) if self.class_split else self.base_labels
        labels = without_held_out(labels_of(train, subset, base_labels), self.held_out, self.class_split)
        self.class_ids = self.ids_of(labels)
        names = {item.label: item.classname for item in train}
        others = sorted(names.keys() - set(labels))
        self.left_out = list(zip([names[label] for label in others], self.ids_of(others), strict=True))
        return keep_classes(train, val, test, labels=labels)

    def check_all_classes(self, key: str, subset: str) -> None:
        """Raises DatasetError unless the run trains on all classes."""
        if subset != "all" or self.test_only:
            why = "its classes have no training images" if self.test_only else f"SUBSAMPLE_CLASSES is {subset!r}"
            raise DatasetError(f"{self.title}: {key} goes with training on all classes, and {why}.")

    def leave_names(
        self, train: list, val: list, test: list, known: list[int], named: list[int], others: Sequence[str] = ()
    ) -> Parts:
        """Keeps the training and validation images of the known labels alone; adds classes that are none yet.

        Labels of the classes of which only the names are known come behind all others. Few-shot samples are those of
        all classes.
        """
        names_of, ids = {item.label: item.classname for item in train}, dict(enumerate(self.class_ids))
        self.class_ids = [ids[label] for label in (*known, *named)] + [f"name {name}" for name in others]
        called = [*(names_of[label] for label in named), *others]
        self.named = [Datum(label=len(known) + at, classname=name) for at, name in enumerate(called)]
        print(f"Of {len(called)} classes only the names are known: {first_few(called)}")
        train, val = keep_classes(train, val, labels=known)
        return train, val, keep_classes(test, labels=[*known, *named])[0]

    def leave_few(self, train: list, val: list, test: list, shots: int, share: float, seed: int) -> Parts:
        """Images by class fall to none, and figures are reported by group; validation images fall with them."""
        drawn = counts_by_label(labels_of(train, "all"), shots, share, seed)
        known, named = ([label for label in sorted(drawn) if bool(drawn[label]) == some] for some in (True, False))
        train, val, test = self.leave_names(train, val, test, known, named)
        counts = [drawn[label] for label in known]
        train, val = first_of_each(train, counts), first_of_each(val, [min(count, VAL_SHOTS) for count in counts])
        self.groups = groups_of(train, len(drawn))
        return train, val, test

    @property
    def label_only(self) -> list[int]:
        """Labels of the classes of which only the names are known."""
        return [item.label for item in self.named]

    def get_num_classes(self, data_source: list[Datum]) -> int:
        return super().get_num_classes([*data_source, *self.named])

    def get_lab2cname(self, data_source: list[Datum]) -> tuple[dict[int, str], list[str]]:
        return super().get_lab2cname([*data_source, *self.named])

    def ids_of(self, labels: list[int]) -> list[str]:
        """What tells classes apart, by their labels, whatever they are called and whichever of them a run has."""
        return [str(label) for label in labels]

    def base_labels(self, labels: list[int]) -> list[int]:
        """Which of the sorted labels are base (seen) classes; the others are new (unseen)."""
        return first_half(labels)

    def sample(self, train: list[Datum], val: list[Datum], num_shots: int) -> tuple[list[Datum], list[Datum]]:
        """Draws the few-shot training and validation items: training first, which fixes the random numbers."""
        train = self.generate_fewshot_dataset(train, num_shots=num_shots)
        return train, self.generate_fewshot_dataset(val, num_shots=min(num_shots, VAL_SHOTS))

    def few_shot(self, train: list[Datum], val: list[Datum], num_shots: int, seed: int) -> Parts:
        """The few-shot sample of this seed: our own cache, else upstream's, else drawn and saved."""
        name = f"{FEW_SHOT}/shot_{num_shots}-seed_{seed}"
        stale = False
        for path in (*self.places(f"{name}.json"), self.dataset_dir / f"{name}.pkl"):
            if path.is_file():
                saved = self.read_few_shot(path, train, val)
                if saved:
                    print(f"Loading preprocessed few-shot data from {path}")
                    return saved
                print(f"Few-shot data in {path} is of another split, and not used")
                stale = stale or path.suffix == ".json"
        train, val = self.sample(train, val, num_shots)
        return self.save({"train": train, "val": val}, f"{name}.json", replace=stale)

    def read_few_shot(self, path: Path, train: list[Datum], val: list[Datum]) -> Parts | None:
        """A saved sample, as items of train and val; None if it has others."""
        if path.suffix == ".pkl":
            saved = tuple(read_upstream_cache(path).values())
        else:
            saved = read_split(path, self.image_dir, parts=("train", "val"))
        found = [find_among(known, part, self.image_dir) for known, part in zip((train, val), saved, strict=True)]
        return None if None in found else tuple(found)

    # --- checks

    def check_classes(self, *parts: list[Datum]) -> None:
        """Raises DatasetError for classes without a training image: labels would not fit the class names."""
        names = {}
        for item in chain(*parts):
            if names.setdefault(item.label, item.classname) != item.classname:
                both = f"{names[item.label]!r} and {item.classname!r}"
                raise DatasetError(f"{self.title}: label {item.label} has two class names, {both}.\n{self.remedy()}")
        trained = {item.label for item in parts[0]}
        idle = [names[label] for label in sorted(names.keys() - trained)]
        gaps = [label for label in range(len(trained)) if label not in trained]
        if idle or not trained:
            fault = f"classes without a training image: {len(idle):,} ({first_few(idle)})"
        elif gaps:
            fault = (
                f"labels should go from 0 to {len(trained) - 1}, one for each class, and no item has label {gaps[0]}"
            )
        else:
            return
        raise DatasetError(f"{self.title}: {fault}.\n{self.remedy()}")

    def check_images(self, *parts: list[Datum]) -> None:
        """Raises DatasetError, before anything is trained, if images that are to be used are not there."""
        missing = missing_images(item for part in parts for item in part)
        if missing:
            total = len({item.impath for part in parts for item in part})
            count = f"{len(missing):,} of the {total:,} to be used"
            raise DatasetError(f"{self.title}: images missing: {count} ({first_few(missing)}).\n{self.remedy()}")


def say_what_is_short(train: list[Datum], num_shots: int) -> None:
    """Prints a line where classes have fewer training images than shots: all that they have are used."""
    short = [f"{items[0].classname}: {len(items)}" for items in by_label(train) if len(items) < num_shots]
    if short:
        print(f"Note: {len(short)} classes have fewer than {num_shots} training images ({first_few(short)})")


def check_trainable(name: str) -> None:
    """Raises DatasetError if the dataset registered as `name` has nothing to train on."""
    if getattr(DATASET_REGISTRY.get(name), "test_only", False):
        raise DatasetError(
            f"{name} has test images only: it cannot be trained on.\n"
            "Train on ImageNet, then evaluate here with --eval-only --model-dir FOLDER_OF_THAT_RUN."
        )
