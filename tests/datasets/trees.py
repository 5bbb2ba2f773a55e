"""Miniature datasets in the real layouts: three classes of five training, two validation and three test images."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from dassl.data.datasets import DATASET_REGISTRY, Datum
from scipy.io import savemat
from yacs.config import CfgNode

import datasets  # noqa: F401 - registers the loaders
from tests.golden import make_inputs

PETS = make_inputs.CLASSES  # of the fixture `pets`
COUNTS = {"train": 5, "val": 2, "test": 3}
Rows = list[tuple[str, int, str]]  # path below the folder of images, label, class name


def config(root, shots: int = -1, seed: int = 1, subset: str = "all", **more) -> CfgNode:
    dataset = {"ROOT": str(root), "NUM_SHOTS": shots, "SUBSAMPLE_CLASSES": subset, **more}
    return CfgNode({"DATASET": dataset, "SEED": seed})


def load(name: str, root, shots: int = -1, seed: int = 1, subset: str = "all", **more):
    """The dataset of that name in the registry, as a run of that seed gets it."""
    random.seed(seed)
    return DATASET_REGISTRY.get(name)(config(root, shots, seed, subset, **more))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def files(items: list[Datum]) -> list[str]:
    return [Path(item.impath).name for item in items]


def rows_of(dataset, items: list[Datum]) -> Rows:
    start = f"{dataset.image_dir}/"
    assert all(item.impath.startswith(start) for item in items)
    return [(item.impath.removeprefix(start), item.label, item.classname) for item in items]


@dataclass(frozen=True)
class Tree:
    """A dataset's layout: how images are called, and the lists that its distribution has."""

    name: str  # in the registry
    classes: dict[str, str]  # what the distribution calls a class ─▶ its name in CoOp, in the order of labels
    image: str  # path of an image below the folder of images
    write_lists: Callable[[Path, dict[str, Rows], list[str]], None] = lambda folder, rows, classes: None

    @property
    def loader(self) -> type:
        return DATASET_REGISTRY.get(self.name)

    @property
    def rows(self) -> dict[str, Rows]:
        """What the published split has."""
        ends = list(accumulate(COUNTS.values()))
        return {
            part: [
                (self.path(part, label, key, i), label, name)
                for label, (key, name) in enumerate(self.classes.items())
                for i in range(end - COUNTS[part], end)
            ]
            for part, end in zip(COUNTS, ends, strict=True)
        }

    def path(self, part: str, label: int, key: str, i: int) -> str:
        side = "test" if part == "test" else "train"
        return self.image.format(key=key, name=self.classes[key], i=i, n=10 * label + i + 1, side=side)

    def make(self, root: Path, published: bool = True) -> Path:
        """Writes images, the distribution's lists and, if published, the split file; returns the dataset's folder."""
        folder = root / self.loader.folder
        for rows in self.rows.values():
            for path, _, _ in rows:
                touch(folder / self.loader.images / path)
        self.write_lists(folder, self.rows, list(self.classes))
        if published and self.loader.split:
            (folder / self.loader.split).write_text(json.dumps(self.rows))
        return folder


def write_lines(path: Path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def lists_of(rows: dict[str, Rows]) -> tuple[Rows, Rows]:
    return [*rows["train"], *rows["val"]], rows["test"]


def pets_lists(folder, rows, classes):
    for name, part in zip(("trainval", "test"), lists_of(rows), strict=True):
        lines = (f"{path.removesuffix('.jpg')} {label + 1} 1 1" for path, label, _ in part)
        write_lines(folder / f"annotations/{name}.txt", lines)


def cars_lists(folder, rows, classes):
    fields = [("fname", object), ("class", object)]
    trainval, test = (
        np.array([(Path(path).name, label + 1) for path, label, _ in part], fields) for part in lists_of(rows)
    )
    (folder / "devkit").mkdir()
    savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(classes, object)})
    savemat(folder / "devkit/cars_train_annos.mat", {"annotations": trainval})
    savemat(folder / "cars_test_annos_withlabels.mat", {"annotations": test})


def flowers_lists(folder, rows, classes):
    labels = dict(sorted((path, label + 1) for part in rows.values() for path, label, _ in part))
    savemat(folder / "imagelabels.mat", {"labels": np.array(list(labels.values()), np.uint8)})
    (folder / "cat_to_name.json").write_text(json.dumps({str(i + 1): name for i, name in enumerate(classes)}))


def aircraft_lists(folder, rows, classes):
    write_lines(folder / "variants.txt", classes)
    for part, items in rows.items():
        lines = (f"{path.removesuffix('.jpg')} {name}" for path, _, name in items)
        write_lines(folder / f"images_variant_{part}.txt", lines)


def sun_lists(folder, rows, classes):
    write_lines(folder / "ClassName.txt", (f"/{name}" for name in classes))
    for name, part in zip(("Training_01", "Testing_01"), lists_of(rows), strict=True):
        write_lines(folder / f"{name}.txt", (f"/{path}" for path, _, _ in part))


def ucf_lists(folder, rows, classes):
    write_lines(folder / "ucfTrainTestlist/classInd.txt", (f"{i} {name}" for i, name in enumerate(classes, start=1)))
    for name, part in zip(("trainlist01", "testlist01"), lists_of(rows), strict=True):
        videos = (f"{classes[label]}/{Path(path).stem}.avi {label + 1}" for path, label, _ in part)
        write_lines(folder / f"ucfTrainTestlist/{name}.txt", videos)


def cub_lists(folder, rows, classes):
    items = [
        (path, label, side) for side, part in zip((1, 0), lists_of(rows), strict=True) for path, label, _ in part
    ]
    items.sort(key=lambda item: item[0])
    write_lines(folder / "classes.txt", (f"{i} {name}" for i, name in enumerate(classes, start=1)))
    write_lines(folder / "images.txt", (f"{i} {path}" for i, (path, _, _) in enumerate(items, start=1)))
    write_lines(
        folder / "image_class_labels.txt", (f"{i} {label + 1}" for i, (_, label, _) in enumerate(items, start=1))
    )
    write_lines(folder / "train_test_split.txt", (f"{i} {side}" for i, (_, _, side) in enumerate(items, start=1)))


def same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


TREES = [
    Tree(
        "Caltech101",
        {"Faces": "face", "accordion": "accordion", "airplanes": "airplane"},
        "{key}/image_{i:04d}.jpg",
    ),
    Tree(
        "OxfordPets",
        {"Abyssinian": "abyssinian", "american_bulldog": "american_bulldog", "Bengal": "bengal"},
        "{key}_{i}.jpg",
        pets_lists,
    ),
    Tree(
        "StanfordCars",
        {
            "AM General Hummer SUV 2000": "2000 AM General Hummer SUV",
            "Acura RL Sedan 2012": "2012 Acura RL Sedan",
            "Audi TT Hatchback 2011": "2011 Audi TT Hatchback",
        },
        "cars_{side}/{n:05d}.jpg",
        cars_lists,
    ),
    Tree("OxfordFlowers", same("pink primrose", "canterbury bells", "sweet pea"), "image_{n:05d}.jpg", flowers_lists),
    Tree("Food101", same("apple_pie", "baby_back_ribs", "waffles"), "{key}/{n}.jpg"),
    Tree("FGVCAircraft", same("707-320", "F/A-18", "Model B200"), "{n:07d}.jpg", aircraft_lists),
    Tree(
        "SUN397",
        {"a/abbey": "abbey", "a/apartment_building/outdoor": "outdoor apartment_building", "z/zoo": "zoo"},
        "{key}/sun_{i}.jpg",
        sun_lists,
    ),
    Tree("DescribableTextures", same("banded", "polka-dotted", "zigzagged"), "{key}/{key}_{i:04d}.jpg"),
    Tree(
        "EuroSAT",
        {"AnnualCrop": "Annual Crop Land", "Forest": "Forest", "SeaLake": "Sea or Lake"},
        "{key}/{key}_{i}.jpg",
    ),
    Tree(
        "UCF101",
        {"ApplyEyeMakeup": "Apply_Eye_Makeup", "BandMarching": "Band_Marching", "YoYo": "Yo_Yo"},
        "{name}/v_{key}_g{i:02d}_c01.jpg",
        ucf_lists,
    ),
]
CUB = Tree(
    "CUB",
    {
        "001.Black_footed_Albatross": "Black footed Albatross",
        "002.Laysan_Albatross": "Laysan Albatross",
        "003.Groove_billed_Ani": "Groove billed Ani",
    },
    "{key}/image_{i}.jpg",
    cub_lists,
)
