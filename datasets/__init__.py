"""Dataset loaders; importing this package registers them in Dassl's DATASET_REGISTRY."""

from . import (
    caltech101,
    cub,
    dtd,
    eurosat,
    fgvc_aircraft,
    food101,
    imagefolder,
    imagenet,
    imagenet_a,
    imagenet_r,
    imagenet_sketch,
    imagenetv2,
    oxford_flowers,
    oxford_pets,
    shapes,
    stanford_cars,
    sun397,
    ucf101,
)
from .fewshot import FewShotDataset, check_trainable
from .parts import check_subset
from .splits import DatasetError

__all__ = [
    "DatasetError",
    "FewShotDataset",
    "caltech101",
    "check_subset",
    "check_trainable",
    "cub",
    "dtd",
    "eurosat",
    "fgvc_aircraft",
    "food101",
    "imagefolder",
    "imagenet",
    "imagenet_a",
    "imagenet_r",
    "imagenet_sketch",
    "imagenetv2",
    "oxford_flowers",
    "oxford_pets",
    "shapes",
    "stanford_cars",
    "sun397",
    "ucf101",
]
