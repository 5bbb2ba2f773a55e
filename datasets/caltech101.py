"""Caltech101: 100 classes of objects; the folders of background and duplicate faces are left out, as in CoOp."""

from dassl.data.datasets import DATASET_REGISTRY

from .folders import FolderSplitDataset


@DATASET_REGISTRY.register()
class Caltech101(FolderSplitDataset):
    folder = "caltech-101"
    images = "101_ObjectCategories"
    split = "split_zhou_Caltech101.json"
    ignored = ("BACKGROUND_Google", "Faces_easy")
    names = {"airplanes": "airplane", "Faces": "face", "Leopards": "leopard", "Motorbikes": "motorbike"}
