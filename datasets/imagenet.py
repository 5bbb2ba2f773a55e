"""ImageNet: 1,000 classes; the validation images serve as validation and test set."""

import os
import shlex
from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY

from .folders import IMAGE_ENDINGS, ListedDataset
from .splits import DatasetError, Parts, first_few

CLASSES = 1000
PAGE = "https://image-net.org/download-images"
UNPACK = (
    "Each class comes as an archive of its own, which belongs into a folder of its name:\n"
    'cd {part} && for i in n*.tar; do mkdir -p "${{i%.tar}}" && tar -xf "$i" -C "${{i%.tar}}" && rm "$i"; done'
)


class ImageNetFamily(ListedDataset):
    """What ImageNet and its variants share: class folders, and their names in classnames.txt."""

    class_list = "ImageNet"

    @property
    def names_file(self) -> Path:
        """The dataset's own classnames.txt, else ImageNet's."""
        own = self.dataset_dir / "classnames.txt"
        return own if own.is_file() else self.root / "imagenet" / "classnames.txt"

    def read_classnames(self) -> dict[str, str]:
        """Folder name to class name, from lines `n01440764 tench`."""
        with self.reading(self.names_file):
            lines = self.names_file.read_text(encoding="utf-8").splitlines()
            return dict(line.strip().split(" ", 1) for line in lines if line.strip())

    def ids_of(self, labels: list[int]) -> list[str]:
        """Names of the classes' folders, which ImageNet and its variants share, and labels not."""
        return [self.class_folder[label] for label in labels]

    def class_names(self, folders: list[str]) -> dict[str, str]:
        self.class_folder = folders
        names = self.read_classnames()
        nameless = [folder for folder in folders if folder not in names]
        if nameless:
            count = f"{len(nameless)} of the {len(folders)} class folders ({first_few(nameless)})"
            raise DatasetError(f"{self.title}: {self.names_file} has no name for {count}.\n{self.remedy()}")
        return names


@DATASET_REGISTRY.register()
class ImageNet(ImageNetFamily):
    folder = "imagenet"
    layout = "images/train/n01440764/…, images/val/n01440764/… and classnames.txt"

    def source(self) -> str:
        return (
            f"ImageNet must be downloaded by hand, with an account of {PAGE}.\n"
            f"What then is missing, and class folders for the validation images: {self.download_command}"
        )

    def read_splits(self) -> Parts:
        parts = self.image_dir / "train", self.image_dir / "val"
        for part in parts:
            self.check_part(part)
        train, val = self.list_parts(*parts)
        return train, val, val

    def check_part(self, part: Path) -> None:
        """Prints a line where class folders are missing; raises DatasetError where files are in no class folder."""
        folders = len(self.class_folders(part))
        count = f"class folders in {part}: {folders:,} of {CLASSES:,}"
        with self.reading(part), os.scandir(part) as entries:
            endings = (*IMAGE_ENDINGS, ".tar")
            loose = sum(entry.name.lower().endswith(endings) and not entry.is_dir() for entry in entries)
        if loose:
            way_out = UNPACK.format(part=shlex.quote(str(part))) if part.name == "train" else self.remedy()
            raise DatasetError(
                f"{self.title}: {part} holds {loose:,} files that are in no class folder, as the official archive "
                f"unpacks ({count}).\n{way_out}"
            )
        if not folders:
            raise DatasetError(f"{self.title}: {part} has no class folders.\n{self.remedy()}")
        if folders < CLASSES:
            print(f"Note: {count}")

    def sample(self, train, val, num_shots):
        """Samples training images only: the validation set is the test set, and stays whole."""
        return self.generate_fewshot_dataset(train, num_shots=num_shots), []

    def few_shot(self, train, val, num_shots, seed):
        return super().few_shot(train, [], num_shots, seed)[0], val


class ImageNetVariant(ImageNetFamily):
    """Images for testing alone, in folders of classes of ImageNet."""

    test_only = True

    def read_splits(self) -> Parts:
        (items,) = self.list_parts(self.image_dir)
        return items, [], items
