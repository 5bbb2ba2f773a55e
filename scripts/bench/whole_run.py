"""A whole base-to-new run of SHIP on CoOp, small enough to be run as the authors' code does it, too."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

from dassl.data import DataManager
from dassl.utils import set_random_seed
from yacs.config import CfgNode

import train
from trainers.blocks.clip.backbone import Backbone
from trainers.blocks.training import feature_trainer

from .full_size import PETS, Size
from .machine import now
from .made_up import class_names, write_pictures
from .measure import Outcome, counts, quiet
from .reference import Ours, Reference

CHECKOUT = Path(__file__).resolve().parents[2]
CUT = Size(PETS.classes, PETS.base, shots=2, val=37, test=37, epochs=(5, 10), views=1)
QUICK = Size(classes=4, base=2, shots=2, val=4, test=8, epochs=(5, 2), views=1)
PICTURE = (375, 500)  # height and width, about those of OxfordPets
REST = "the rest"  # of what a run takes


@dataclass
class Run:
    """What a run came to, and what it took: seconds by part, those of what ours does not do, images encoded."""

    outcome: Outcome
    taken: Counter[str]
    extra: Counter[str]
    images: int


class WholeRun:
    """Trains on the base classes, tests on them, and tests on the new ones; each call starts over.

    Ours as train.py has it, with views encoded once; or the reference procedure. CLIP is loaded already, and no state
    to resume from nor cache is kept, in both.
    """

    def __init__(self, backbone: Backbone, root: Path, size: Size, reference: bool) -> None:
        self.backbone, self.root, self.size = backbone, root, size
        self.name, self.trainer_class = ("reference", Reference) if reference else ("ours", Ours)
        self.runs = 0

    def __call__(self) -> Run:
        self.runs += 1
        folder = self.root / f"{self.name}{self.runs}"
        tell = telling(self.name)
        with (
            mock.patch.multiple(
                feature_trainer, load_backbone=lambda *args: self.backbone, check_weights=lambda name: None
            ),
            counts(self.backbone.model) as seen,
            quiet(),
        ):
            start = now()
            trainer = self.trainer(folder, "base", tell)
            trainer.train()
            tester = self.trainer(folder, "new", tell)
            tester.load_model(str(folder / "base"))
            tester.test()
            seconds = now() - start
            logits = tester.classifier.predict(tester.evaluation_features("test")[0])
        taken, extra = trainer.took + tester.took, trainer.extra + tester.extra
        taken[REST] = seconds - taken.total() - extra.total()
        return Run(Outcome(trainer.losses, logits), taken, extra, seen["images"])

    def trainer(self, folder: Path, classes: str, tell: Callable[[str], None]) -> Ours:
        set_random_seed(1)
        cfg = configuration(self.root, folder / classes, classes, self.backbone.resolution, self.size)
        return self.trainer_class(cfg, tell)


def telling(name: str) -> Callable[[str], None]:
    """Prints how far a run is on standard error as it is now, whatever is made of it later."""
    shown = partial(print, file=sys.stderr, flush=True)
    return lambda step: shown(f"{name}: {step}")


def configuration(root: Path, folder: Path, classes: str, resolution: int, size: Size) -> CfgNode:
    """That of train.py for the pictures under `root`, with SHIP's recipe."""
    arguments = [
        *("--root", root, "--output-dir", folder, "--seed", 1, "--trainer", "SHIP", "--no-cache"),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/imagefolder.yaml"),
        *("--config-file", CHECKOUT / "configs/trainers/SHIP/vit_b16.yaml", "--backbone", "random"),
        *("DATASET.FOLDER", "pictures", "DATASET.SUBSAMPLE_CLASSES", classes, "DATASET.NUM_SHOTS", size.shots),
        *("INPUT.SIZE", f"({resolution}, {resolution})", "TRAINER.SHIP.PREC", "fp32"),
        *("TRAINER.SHIP.OPTIM.MAX_EPOCH", size.epochs[0], "OPTIM.MAX_EPOCH", size.epochs[1]),
        *("DATALOADER.NUM_WORKERS", 0, "TRAINER.FEATURES.VIEWS", size.views, "TRAINER.FEATURES.RESUME_EVERY", 0),
        *("DATALOADER.TEST.BATCH_SIZE", size.base),  # so that batches are whole, and next to none is filled up
    ]
    return train.setup_cfg(train.parse_args([str(word) for word in arguments]))


def pictures(root: Path, size: Size) -> None:
    """The pictures of a dataset of that size, as many in each class, and one for validation."""
    each = size.test // size.classes
    write_pictures(root / "pictures", class_names(size.classes), size.shots, each, PICTURE)


def data(root: Path, resolution: int, size: Size) -> DataManager:
    """All of its classes, with loaders as a run has them."""
    with quiet():
        return DataManager(configuration(root, root / "nothing", "all", resolution, size))
