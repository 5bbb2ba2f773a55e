"""Food101: 101 dishes."""

from dassl.data.datasets import DATASET_REGISTRY

from .folders import FolderSplitDataset


@DATASET_REGISTRY.register()
class Food101(FolderSplitDataset):
    folder = "food-101"
    split = "split_zhou_Food101.json"
