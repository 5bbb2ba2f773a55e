"""DTD, Describable Textures: 47 adjectives of textures."""

from dassl.data.datasets import DATASET_REGISTRY

from .folders import FolderSplitDataset


@DATASET_REGISTRY.register()
class DescribableTextures(FolderSplitDataset):
    folder = "dtd"
    split = "split_zhou_DescribableTextures.json"
