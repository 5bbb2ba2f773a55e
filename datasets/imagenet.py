"""ImageNet: 1,000 classes; the validation images serve as validation and test set."""

from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY

from .folders import ListedDataset
from .splits import DatasetError, Parts, first_few


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

    def read_splits(self) -> Parts:
        train, val = self.list_parts(self.image_dir / "train", self.image_dir / "val")
        return train, val, val

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
