"""FGVCAircraft: 100 variants of aircraft, by the lists of the distribution."""

from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import FewShotDataset
from .splits import PARTS, Parts


@DATASET_REGISTRY.register()
class FGVCAircraft(FewShotDataset):
    folder = "fgvc_aircraft"
    layout = "images/, variants.txt and images_variant_train.txt, …_val.txt and …_test.txt"

    def read_splits(self) -> Parts:
        labels = {name: label for label, name in enumerate(self.read_lines(self.dataset_dir / "variants.txt"))}
        return tuple(self.read_list(self.dataset_dir / f"images_variant_{part}.txt", labels) for part in PARTS)

    def read_list(self, path: Path, labels: dict[str, int]) -> list[Datum]:
        """Items of a list with lines `1025794 707-320`."""
        with self.reading(path):
            rows = [line.split(" ", 1) for line in self.read_lines(path)]
            return [self.item(f"{number}.jpg", labels[name], name) for number, name in rows]
