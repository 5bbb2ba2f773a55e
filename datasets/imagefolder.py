"""Any folder of images as a dataset: DATASET.FOLDER under DATASET.ROOT."""

import random
from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY

from .fewshot import FEW_SHOT
from .folders import IMAGE_ENDINGS, ListedDataset
from .parts import VAL_SHARE, by_label, split_by_class, split_trainval
from .splits import PARTS, DatasetError, Parts

SHARES = (0.7, 0.1)  # for training and validation; the rest is for testing
SEED = 0  # of the split, whatever the run's
ENOUGH = 5  # pictures of a class, of which some are held back


@DATASET_REGISTRY.register()
class ImageFolder(ListedDataset):
    """Either train/, val/ and test/ with a folder for each class, or class folders alone, split 70/10/20.

    Without val/, a fifth of the training images is set aside. Labels follow the sorted folders. An optional
    classnames.txt, with lines `<folder> <class name>`, names classes otherwise than by their folders. The split
    depends on the files alone: it is the same for every seed, and nothing is saved.
    """

    images = "."
    layout = "train/<class>/… and test/<class>/… (val/ as well, or not), or <class>/…"

    def locate(self, cfg) -> None:
        self.folder = cfg.DATASET.get("FOLDER", "")
        if not self.folder:
            raise DatasetError(
                "ImageFolder: DATASET.FOLDER is empty; it should name the folder of images under DATASET.ROOT."
            )
        super().locate(cfg)

    def source(self) -> str:
        return f"Images are told by their endings: {' '.join(IMAGE_ENDINGS)}."

    @property
    def class_list(self) -> str:
        return f"ImageFolder {self.folder}"

    def class_folders(self, folder: Path) -> list[str]:
        return [name for name in super().class_folders(folder) if name != FEW_SHOT]

    def read_splits(self) -> Parts:
        rng = random.Random(SEED)
        train, val, test = (self.dataset_dir / part for part in PARTS)
        if not (train.is_dir() and self.class_folders(train)):
            (items,) = self.list_parts(self.dataset_dir)
            return split_by_class(items, SHARES, rng)
        if not test.is_dir():
            raise DatasetError(f"ImageFolder: {self.dataset_dir} has train/ and no test/.\n{self.remedy()}")
        if val.is_dir():
            return self.list_parts(train, val, test)
        trainval, test = self.list_parts(train, test)
        return *split_trainval(trainval, rng=rng), test

    def class_names(self, folders: list[str]) -> dict[str, str]:
        """Folder names, or what classnames.txt says; folders may have spaces in their names."""
        path = self.dataset_dir / "classnames.txt"
        names = {folder: folder for folder in folders}
        for line in self.read_lines(path) if path.is_file() else ():
            beginnings = (line[:place] for place in range(len(line) - 1, 0, -1) if line[place] == " ")
            folder = next((beginning for beginning in beginnings if beginning in names), "")
            if not folder:
                raise DatasetError(f"ImageFolder: {path} has a line that begins with no class folder: {line!r}.")
            names[folder] = line.removeprefix(folder).strip()
        return names


@DATASET_REGISTRY.register()
class OwnPictures(ImageFolder):
    """Class folders to learn from: all train, but a fifth of each class with ENOUGH is held back to judge by.

    Where none has enough, nothing is judged. What is held back is the same for every seed.
    """

    layout = "a folder of pictures for each class, <class>/…"
    judged = True  # whether there are pictures to judge by

    def read_splits(self) -> Parts:
        rng, train, held_back = random.Random(SEED), [], []
        for items in by_label(*self.list_parts(self.dataset_dir)):
            rng.shuffle(items)
            count = round(len(items) * VAL_SHARE) if len(items) >= ENOUGH else 0
            held_back += items[:count]
            train += items[count:]
        self.judged = bool(held_back)
        return train, held_back, held_back or train  # a test needs images; without judged, none is encoded for it
