"""Dataset loaders; importing this package registers them in Dassl's DATASET_REGISTRY."""

from . import imagenet, oxford_pets, shapes
from .fewshot import DatasetError, FewShotDataset, check_subset

__all__ = ["DatasetError", "FewShotDataset", "check_subset", "imagenet", "oxford_pets", "shapes"]
