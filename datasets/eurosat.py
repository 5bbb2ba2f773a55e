"""EuroSAT: ten kinds of land in satellite images."""

from dassl.data.datasets import DATASET_REGISTRY

from .folders import FolderSplitDataset


@DATASET_REGISTRY.register()
class EuroSAT(FolderSplitDataset):
    folder = "eurosat"
    images = "2750"
    split = "split_zhou_EuroSAT.json"
    names = {
        "AnnualCrop": "Annual Crop Land",
        "HerbaceousVegetation": "Herbaceous Vegetation Land",
        "Highway": "Highway or Road",
        "Industrial": "Industrial Buildings",
        "Pasture": "Pasture Land",
        "PermanentCrop": "Permanent Crop Land",
        "Residential": "Residential Buildings",
        "SeaLake": "Sea or Lake",
    }
