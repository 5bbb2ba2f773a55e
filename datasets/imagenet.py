"""ImageNet: 1,000 classes; the validation images serve as validation and test set."""

import os
from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import DatasetError, FewShotDataset


@DATASET_REGISTRY.register()
class ImageNet(FewShotDataset):
    folder = "imagenet"
    layout = "images/train/n01440764/…, images/val/n01440764/… and classnames.txt"

    def read_splits(self) -> tuple[list[Datum], list[Datum], list[Datum]]:
        classnames = self.read_classnames()
        train = self.read_images("train", classnames)
        val = self.read_images("val", classnames)
        return train, val, val

    def sample(self, train, val, num_shots):
        """Samples training images only: the validation set is the test set, and stays whole."""
        return self.generate_fewshot_dataset(train, num_shots=num_shots), []

    def few_shot(self, train, val, num_shots, seed):
        return super().few_shot(train, [], num_shots, seed)[0], val

    def read_classnames(self) -> dict[str, str]:
        """Folder name to class name, from lines `n01440764 tench`."""
        path = self.dataset_dir / "classnames.txt"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise DatasetError(f"ImageNet: {path} cannot be read; the folder should hold {self.layout}.") from error
        return dict(line.strip().split(" ", 1) for line in lines if " " in line.strip())

    def read_images(self, part: str, classnames: dict[str, str]) -> list[Datum]:
        """Items of images/<part>, labelled by the order of the sorted folder names."""
        folder = self.image_dir / part
        if not folder.is_dir():
            raise DatasetError(f"ImageNet: folder {folder} not found; {self.dataset_dir} should hold {self.layout}.")
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        unknown = [name for name in names if name not in classnames]
        if unknown:
            raise DatasetError(
                f"ImageNet: {self.dataset_dir / 'classnames.txt'} has no name for {len(unknown)} folders "
                f"of {folder}: {', '.join(unknown[:5])}."
            )
        return [
            Datum(impath=str(Path(folder, name, image)), label=label, classname=classnames[name])
            for label, name in enumerate(names)
            for image in sorted(os.listdir(folder / name))
            if not image.startswith(".")
        ]
