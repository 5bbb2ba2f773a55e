"""Datasets that are listed by their folders: one folder of images for each class."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dassl.data.datasets import Datum

from .fewshot import FewShotDataset
from .parts import split_by_class
from .splits import AT_ONCE, DatasetError, Parts

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class FolderDataset(FewShotDataset):
    """Lists class folders; hidden files, and files that are no images, are passed over."""

    def class_folders(self, folder: Path) -> list[str]:
        """Sorted names of the folders in `folder`."""
        with self.reading(folder), os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))

    def image_names(self, folder: Path) -> list[str]:
        """Sorted names of the images in a class's folder; raises DatasetError if there are none."""
        with self.reading(folder):
            names = [name for name in os.listdir(folder) if not name.startswith(".")]
        images = sorted(name for name in names if name.lower().endswith(IMAGE_ENDINGS))
        if not images:
            raise DatasetError(f"{self.title}: the class folder {folder} has no images.\n{self.remedy()}")
        return images

    def list_classes(self, folder: Path, classes: Sequence[tuple[str, int, str]]) -> list[Datum]:
        """Items of the classes (folder's name, label, class name) in `folder`, class by class."""
        folders = [folder / name for name, _, _ in classes]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            listings = list(pool.map(self.image_names, folders))
        return [
            Datum(impath=f"{path}{os.sep}{image}", label=label, classname=classname)
            for path, (_, label, classname), images in zip(map(str, folders), classes, listings, strict=True)
            for image in images
        ]


class FolderSplitDataset(FolderDataset):
    """A dataset with a published split; the distribution has class folders alone, from which one can be drawn."""

    ignored: tuple[str, ...] = ()  # folders that are no class
    names: Mapping[str, str] = {}  # folder ─▶ class name, where they differ

    def draw_splits(self) -> Parts:
        folders = [folder for folder in self.class_folders(self.image_dir) if folder not in self.ignored]
        classes = [(folder, label, self.names.get(folder, folder)) for label, folder in enumerate(folders)]
        return split_by_class(self.list_classes(self.image_dir, classes))


class ListedDataset(FolderDataset):
    """A dataset whose items are the files found in its folders, so that none of them can be missing."""

    def check_images(self, *parts: list[Datum]) -> None:
        pass

    def list_parts(self, *folders: Path) -> Parts:
        """Items of the class folders in each folder, labelled in the sorted order of all of them together."""
        found = [self.class_folders(folder) for folder in folders]
        everything = sorted({name for names in found for name in names})
        if not everything:
            raise DatasetError(f"{self.title}: {folders[0]} has no class folders.\n{self.remedy()}")
        classnames = self.class_names(everything)
        classes = {name: (name, label, classnames[name]) for label, name in enumerate(everything)}
        return tuple(
            self.list_classes(folder, [classes[name] for name in names])
            for folder, names in zip(folders, found, strict=True)
        )

    def class_names(self, folders: list[str]) -> Mapping[str, str]:
        """Class names of the class folders."""
        return {folder: folder for folder in folders}
