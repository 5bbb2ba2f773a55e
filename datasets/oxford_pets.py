"""Oxford-IIIT Pets: 37 breeds of cats and dogs."""

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import DatasetError, FewShotDataset


@DATASET_REGISTRY.register()
class OxfordPets(FewShotDataset):
    folder = "oxford_pets"
    split = "split_zhou_OxfordPets.json"
    layout = "images/, annotations/ and split_zhou_OxfordPets.json"

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        annotations = self.dataset_dir / "annotations"
        return self.read_list(annotations / "trainval.txt"), self.read_list(annotations / "test.txt")

    def read_list(self, path) -> list[Datum]:
        """Items of a list with lines `Abyssinian_100 1 1 1`: image name, label from 1, species, breed number."""
        try:
            rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            return [
                Datum(
                    impath=str(self.image_dir / f"{name}.jpg"),
                    label=int(label) - 1,
                    classname=name.rsplit("_", 1)[0].lower(),
                )
                for name, label, *_ in rows
            ]
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"OxfordPets: neither {self.split_path} nor {path} can be read ({error}).\n"
                f"{self.dataset_dir} should hold {self.layout}."
            ) from error
