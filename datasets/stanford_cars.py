"""StanfordCars: 196 models of cars."""

from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import FewShotDataset
from .splits import read_mat


@DATASET_REGISTRY.register()
class StanfordCars(FewShotDataset):
    folder = "stanford_cars"
    images = "."
    split = "split_zhou_StanfordCars.json"
    layout = "cars_train/, cars_test/ and split_zhou_StanfordCars.json"

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        devkit = self.dataset_dir / "devkit"
        with self.reading(devkit / "cars_meta.mat") as path:
            names = [year_first(cell[0]) for cell in read_mat(path, "class_names")]
        train = self.read_list(devkit / "cars_train_annos.mat", "cars_train", names)
        return train, self.read_list(self.dataset_dir / "cars_test_annos_withlabels.mat", "cars_test", names)

    def read_list(self, path: Path, folder: str, names: list[str]) -> list[Datum]:
        with self.reading(path):
            rows = [(row["fname"][0], int(row["class"][0, 0]) - 1) for row in read_mat(path, "annotations")]
            return [self.item(f"{folder}/{image}", label, names[label]) for image, label in rows]


def year_first(name: str) -> str:
    """As CoOp has it: "AM General Hummer SUV 2000" is "2000 AM General Hummer SUV"."""
    model, _, year = name.rpartition(" ")
    return f"{year} {model}"
