"""The registry of datasets."""

from yacs.config import CfgNode

from ...utils import Registry
from .base_dataset import DatasetBase

DATASET_REGISTRY = Registry("DATASET")


def build_dataset(cfg: CfgNode) -> DatasetBase:
    """Return the dataset that cfg.DATASET.NAME names."""
    return DATASET_REGISTRY.build(cfg.DATASET.NAME, cfg)
