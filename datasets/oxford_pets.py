"""Oxford-IIIT Pets: 37 breeds of cats and dogs."""

from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import FewShotDataset


@DATASET_REGISTRY.register()
class OxfordPets(FewShotDataset):
    folder = "oxford_pets"
    split = "split_zhou_OxfordPets.json"
    layout = "images/, annotations/ and split_zhou_OxfordPets.json"

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        annotations = self.dataset_dir / "annotations"
        return self.read_list(annotations / "trainval.txt"), self.read_list(annotations / "test.txt")

    def read_list(self, path: Path) -> list[Datum]:
        """Items of a list with lines `Abyssinian_100 1 1 1`: image name, label from 1, species, breed number."""
        with self.reading(path):
            rows = [line.split() for line in self.read_lines(path)]
            return [
                self.item(f"{image}.jpg", int(label) - 1, image.rpartition("_")[0].lower())
                for image, label, *_ in rows
            ]
