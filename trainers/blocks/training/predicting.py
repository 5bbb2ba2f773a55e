"""A run's model without the run's images: the same trainer, given the classes by name, classifies other pictures."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout

import torch
from dassl.data.transforms import build_transform
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from yacs.config import CfgNode

from ..engine.images import ImageError, read_image
from ..features.batches import Batch
from ..run.classes import Classes
from ..run.randomness import own_random_numbers
from .feature_trainer import FeatureTrainer
from .without_dataset import WithoutDataset

UNREADABLE = -1  # the label of a picture that cannot be decoded
HOTTEST = 100.0  # the largest temperature that is tried, and by its inverse the lowest


class WithoutImages(WithoutDataset):
    """In front of a trainer's class: there is no dataset, but the classes of one."""

    run_classes: Classes

    def build_data_loader(self) -> None:
        self.stand_in(self.run_classes)
        self.image_loader = self.train_loader_x = range(1)  # whose length schedules ask for


def without_images(trainer: type[FeatureTrainer], cfg: CfgNode, classes: Classes) -> FeatureTrainer:
    """The trainer that a run of this configuration had, to load its model into; nothing of a dataset is read."""
    return type(trainer.__name__, (WithoutImages, trainer), {"run_classes": classes})(cfg)


class Pictures(Dataset):
    """Picture files as the test sees them, labelled by their rows; UNREADABLE if they cannot be decoded."""

    def __init__(self, cfg: CfgNode, paths: Sequence[str]) -> None:
        self.paths, self.size = list(paths), cfg.INPUT.SIZE
        with redirect_stdout(io.StringIO()):  # what it consists of, as in every run
            self.transform = build_transform(cfg, is_train=False)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> dict[str, Tensor | int]:
        try:
            return {"img": self.transform(read_image(self.paths[row])), "label": row}
        except ImageError:
            return {"img": torch.zeros(3, *self.size), "label": UNREADABLE}


def encode_pictures(trainer: FeatureTrainer, paths: Sequence[str]) -> Batch:
    """Features (M, D) of the pictures that can be decoded, and which of the paths these are (M,).

    They are encoded as the test's images are, to the same bits.
    """
    with own_random_numbers(0), torch.no_grad(), trainer.extractor(len(paths)) as extract:
        features, rows = extract(Pictures(trainer.cfg, paths), "pictures")
    return features[rows != UNREADABLE], rows[rows != UNREADABLE]


def temperature_of(logits: Tensor, labels: Tensor) -> float:
    """What to divide logits (N, C) by for probabilities that fit labels (N,) best (Guo et al., ICML 2017)."""
    logits = logits.double().cpu()

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / 10**log_temperature, labels.cpu()).item()

    most = torch.tensor(HOTTEST).log10().item()
    return 10 ** float(minimize_scalar(loss, bounds=(-most, most), method="bounded").x)
