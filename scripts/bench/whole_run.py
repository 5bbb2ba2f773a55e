"""A whole base-to-new run of SHIP on CoOp, small enough to be run in both ways."""

from pathlib import Path
from unittest import mock

from dassl.data import DataManager
from dassl.engine import build_trainer
from dassl.utils import set_random_seed
from yacs.config import CfgNode

import train
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.training import feature_trainer
from trainers.blocks.training.feature_trainer import FeatureTrainer

from .made_up import class_names, write_pictures
from .measure import Outcome, quiet
from .plain import recorded_losses, reencode

CHECKOUT = Path(__file__).resolve().parents[2]
CLASSES, SHOTS, TEST = 4, 2, 2  # half of the classes base; images of a class
VIEWS, EPOCHS = 1, (5, 20)  # a tenth of 10 views, and of 50 and 200 epochs
SIZE = (375, 500)  # of the pictures, about those of OxfordPets
DESCRIPTION = (
    f"base2new, {CLASSES} classes, {SHOTS} shots, {EPOCHS[0]} + {EPOCHS[1]} epochs, {VIEWS} view, "
    f"{CLASSES * TEST} test images; training and both tests, ours encoding each image for the first time"
)


class WholeRun:
    """Trains on the base classes, tests on them, and tests on the new ones; each call starts over.

    Ours as train.py has it, with views encoded once; the plain way encodes a view whenever it is asked for, and
    keeps nothing. CLIP is loaded already, and no state to resume from is kept, in both.
    """

    def __init__(self, backbone: Backbone, root: Path, plain: bool) -> None:
        self.backbone, self.root, self.plain, self.runs = backbone, root, plain, 0

    def __call__(self) -> Outcome:
        self.runs += 1
        folder = self.root / f"{'plain' if self.plain else 'ours'}{self.runs}"
        with mock.patch.multiple(
            feature_trainer, load_backbone=lambda *args: self.backbone, check_weights=lambda name: None
        ):
            trainer = self.trainer(folder / "base", "base")
            losses = recorded_losses(trainer)
            if self.plain:
                reencode(trainer)
            trainer.train()
            tester = self.trainer(folder / "new", "new")
            tester.load_model(str(folder / "base"))
            tester.test()
            return Outcome(losses, tester.classifier.predict(tester.evaluation_features("test")[0]))

    def trainer(self, folder: Path, classes: str) -> FeatureTrainer:
        set_random_seed(1)
        return build_trainer(configuration(self.root, folder, classes, self.backbone.resolution))


def configuration(root: Path, folder: Path, classes: str, resolution: int) -> CfgNode:
    """That of train.py for the pictures under `root`, with SHIP's recipe."""
    arguments = [
        *("--root", root, "--output-dir", folder, "--seed", 1, "--trainer", "SHIP", "--no-cache"),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/imagefolder.yaml"),
        *("--config-file", CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml", "--backbone", "random"),
        *("DATASET.FOLDER", "pictures", "DATASET.SUBSAMPLE_CLASSES", classes, "DATASET.NUM_SHOTS", SHOTS),
        *("INPUT.SIZE", f"({resolution}, {resolution})", "TRAINER.SHIP.PREC", "fp32"),
        *("TRAINER.SHIP.OPTIM.MAX_EPOCH", EPOCHS[0], "OPTIM.MAX_EPOCH", EPOCHS[1], "DATALOADER.NUM_WORKERS", 0),
        *("TRAINER.FEATURES.VIEWS", VIEWS, "TRAINER.FEATURES.RESUME_EVERY", 0),
        *("DATALOADER.TEST.BATCH_SIZE", CLASSES // 2 * TEST),  # a whole batch, which is not filled up
    ]
    return train.setup_cfg(train.parse_args([str(word) for word in arguments]))


def pictures(root: Path) -> None:
    """The pictures of a small dataset."""
    write_pictures(root / "pictures", class_names(CLASSES), SHOTS, TEST, SIZE)


def data(root: Path, resolution: int) -> DataManager:
    """All of its classes, with loaders as a run has them."""
    with quiet():
        return DataManager(configuration(root, root / "nothing", "all", resolution))
