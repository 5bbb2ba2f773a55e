"""A run that has been opened: its model, its test pictures with their features, and what it lacks."""

import argparse
import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace

import torch
from dassl.data.data_manager import DatasetWrapper
from dassl.data.datasets import Datum, build_dataset
from dassl.data.transforms import build_transform
from own.saved_run import SavedRun
from torch import Tensor

from datasets import DatasetError
from trainers.blocks.engine.images import ImageError
from trainers.blocks.run.classes import Classes
from trainers.blocks.run.randomness import restored_random_state
from trainers.blocks.run.results import TRAINING
from trainers.blocks.training.feature_trainer import FeatureTrainer

GONE = (DatasetError, ImageError)  # what is raised where pictures are not there, or cannot be read


@dataclass(frozen=True)
class Pictures:
    """Test pictures: features (N, D), labels (N,) that index some classes, and their files."""

    features: Tensor
    labels: Tensor
    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def of(self, rows: Tensor) -> "Pictures":
        """Those in some rows."""
        return Pictures(self.features[rows], self.labels[rows], [self.paths[row] for row in rows.tolist()])

    def among(self, classes: Classes, own: Classes) -> "Pictures":
        """Those of some classes, with labels that index these; the labels here index their `own` classes."""
        places = [-1 if row is None else row for row in classes.find(own)]
        moved = torch.tensor(places, device=self.labels.device)[self.labels]
        rows = torch.nonzero(moved >= 0).flatten()
        return replace(self.of(rows), labels=moved[rows])


@dataclass
class OpenedRun:
    """`logits` (N, C) and `labels` (N,) are of the run's evaluation, and None without its pictures.

    `base` are the classes that it had training pictures of, `new` those of which it knew the names only; `pictures`
    are of both, base classes first, and None where there are none. `left_out` says what is missing, and why.
    """

    run: SavedRun
    trainer: FeatureTrainer
    base: Classes
    new: Classes
    items: Sequence[Datum] = ()
    logits: Tensor | None = None
    labels: Tensor | None = None
    pictures: Pictures | None = None
    left_out: list[str] = field(default_factory=list)

    @property
    def classes(self) -> Classes:
        return self.base + self.new

    @property
    def trained(self) -> bool:
        """Whether the run trained what it tested, rather than evaluated another run's model."""
        return self.run.record.get("mode", TRAINING) == TRAINING


def open_run(run: SavedRun, args: argparse.Namespace) -> OpenedRun:
    """Loads the model, and encodes the test pictures unless the cache has their features.

    Raises InputError where there is no checkpoint, or one that does not fit.
    """
    base, new = halves_of(run)
    try:
        opened = OpenedRun(run, run.load(args), base, new)
        if not getattr(opened.trainer.dm.dataset, "judged", True):
            opened.left_out.append("All numbers about test pictures: the run held back none to judge by.")
            return opened
        evaluate(opened)
    except GONE as error:
        why = f"All numbers that need pictures: they are not there, or cannot be read ({first_line(error)})."
        return OpenedRun(run, run.load(args, images=False), base, new, left_out=[why])
    gather_pictures(opened)
    return opened


def halves_of(run: SavedRun) -> tuple[Classes, Classes]:
    """Classes with training pictures, and classes of which the run, or the one that it evaluated, knew names only."""
    record, ship = run.record, run.record["config"]["TRAINER"].get("SHIP") or {}
    if record.get("trainer") == "SHIP" and ship.get("SOURCE"):
        return run.own.take(()), run.own
    if named := set(record.get("label_only") or ()):
        rows = range(len(run.own))
        return run.own.take([row for row in rows if row not in named]), run.own.take(sorted(named))
    if record.get("classes") == "new":
        return run.left_out, run.own
    return run.own, run.left_out


@torch.no_grad()
def evaluate(opened: OpenedRun) -> None:
    """Makes the logits by which the run was judged, silently."""
    dataset, split = opened.trainer.dm.dataset, opened.run.record.get("split", "test")
    with redirect_stdout(io.StringIO()):
        opened.logits, opened.labels = opened.trainer.judged_logits(split)
    opened.items = dataset.val if split == "val" else dataset.test


def gather_pictures(opened: OpenedRun) -> None:
    """Test pictures of base and of new classes; of the half that the run was not tested on only where it is there."""
    trainer = opened.trainer
    with redirect_stdout(io.StringIO()):
        features, labels = trainer.evaluation_features("test")
    own = Pictures(features, labels, paths_of(trainer.dm.dataset.test))
    parts = [own.among(opened.classes, trainer.classes)]
    if trainer.cfg.DATASET.SUBSAMPLE_CLASSES != "all" and opened.run.left_out:
        try:
            parts.append(other_half(opened))
        except GONE as error:
            half = "new" if trainer.cfg.DATASET.SUBSAMPLE_CLASSES == "base" else "base"
            opened.left_out.append(f"Numbers that need pictures of {half} classes ({first_line(error)}).")
    opened.pictures = Pictures(
        torch.cat([part.features for part in parts]),
        torch.cat([part.labels for part in parts]),
        [path for part in parts for path in part.paths],
    )


@torch.no_grad()
def other_half(opened: OpenedRun) -> Pictures:
    """Test pictures of the classes that the run's dataset left out. Raises DatasetError and ImageError."""
    trainer, cfg = opened.trainer, opened.trainer.cfg.clone()
    cfg.defrost()
    cfg.DATASET.SUBSAMPLE_CLASSES = "new" if cfg.DATASET.SUBSAMPLE_CLASSES == "base" else "base"
    with redirect_stdout(io.StringIO()), restored_random_state():
        dataset = build_dataset(cfg)
        images = DatasetWrapper(cfg, dataset.test, transform=build_transform(cfg, is_train=False))
        features, labels = trainer.plain_features(images, dataset.test, "the other classes")
    pictures = Pictures(features, labels, paths_of(dataset.test))
    return pictures.among(opened.classes, Classes.of_dataset(dataset))


def paths_of(items: Sequence[Datum]) -> list[str]:
    return [item.impath for item in items]


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".:")
