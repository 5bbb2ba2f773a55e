"""OxfordFlowers: 102 kinds of flowers."""

from dassl.data.datasets import DATASET_REGISTRY
from dassl.utils import read_json

from .fewshot import FewShotDataset
from .parts import split_by_class
from .splits import Parts, read_mat


@DATASET_REGISTRY.register()
class OxfordFlowers(FewShotDataset):
    folder = "oxford_flowers"
    images = "jpg"
    split = "split_zhou_OxfordFlowers.json"

    def draw_splits(self) -> Parts:
        """Splits 50/20/30, as CoOp does: the distribution's own split has more for testing than for training."""
        with self.reading(self.dataset_dir / "cat_to_name.json") as path:
            names = read_json(path)
        with self.reading(self.dataset_dir / "imagelabels.mat") as path:
            labels = [int(label) for label in read_mat(path, "labels")]
            items = [
                self.item(f"image_{number:05d}.jpg", label - 1, names[str(label)])
                for number, label in enumerate(labels, start=1)
            ]
        return split_by_class(items)
