"""TRAINER.GZSL.CALIBRATION held_out: the penalty on seen classes, chosen on base classes that stand in for new ones.

A run of its own, in the folder held_out of the output folder, is trained as this one but for some base classes, whose
images neither of its stages sees. Images of base classes then compete among all classes, and the penalty is the one
with the highest harmonic mean over classes that were trained on and classes that were not. Names of new classes are
known, as in training; no image of one is looked at.
"""

import json
from pathlib import Path

import torch
from dassl.data.data_manager import DatasetWrapper
from dassl.data.transforms import build_transform
from dassl.utils import set_random_seed
from torch import Tensor
from yacs.config import CfgNode

from ..errors import InputError
from ..run.files import replace_file
from ..run.folder import HELD_OUT
from ..run.identity import config_hash
from ..run.randomness import restore_random_state, stored_random_state
from ..synthesis.synthesizers import new_classes
from . import gzsl


def chosen_penalty(trainer) -> dict:
    """The penalty, with the names of the classes held out and the number of images that it was chosen on.

    `trainer` is a FeatureTrainer that is about to train. A run that was stopped goes on; one that is complete is not
    repeated. Raises InputError where classes cannot be held out.
    """
    check_base_classes(trainer)
    path = Path(trainer.cfg.OUTPUT_DIR, HELD_OUT, "chosen.json")
    identity = {"config_hash": config_hash(trainer.cfg, trainer.sources)}
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else identity
    if found["config_hash"] != identity["config_hash"]:
        raise InputError(
            f"{path.parent} holds a run of other settings: choose another folder (--output-dir), or start over in "
            "this one (--force)."
        )
    if "penalty" not in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(identity).encode())
        found = identity | choose(trainer, own_run(trainer))
        replace_file(path, json.dumps(found, indent=1).encode())
    print(f"Penalty on seen classes: {found['penalty']:.3f}, by {len(found['classes'])} base classes held out")
    return found


def check_base_classes(trainer) -> None:
    """Raises InputError where the run has no base classes to hold out, or no validation images of the others."""
    dataset = trainer.dm.dataset
    if trainer.cfg.DATASET.SUBSAMPLE_CLASSES != "base" or not hasattr(dataset, "left_out"):
        raise InputError(
            "TRAINER.GZSL.CALIBRATION held_out holds base classes out: it needs DATASET.SUBSAMPLE_CLASSES base and a "
            "dataset of this project."
        )
    if not trainer.has_own_validation_images():
        raise InputError(
            "TRAINER.GZSL.CALIBRATION held_out needs validation images of base classes, and the dataset has none of "
            "its own: use CALIBRATION cost."
        )


def own_run(trainer):
    """The run without the classes that are held out, trained; random numbers of this one go on as without it."""
    cfg, count = trainer.cfg.clone(), max(1, round(trainer.cfg.TRAINER.GZSL.HELD_OUT * len(trainer.classes)))
    cfg.defrost()
    cfg.OUTPUT_DIR, cfg.RESUME = str(Path(cfg.OUTPUT_DIR, HELD_OUT)), ""
    cfg.DATASET.HELD_OUT, cfg.TEST.NO_TEST = count, True
    cfg.TRAINER.GZSL = CfgNode({**cfg.TRAINER.GZSL, "CALIBRATION": gzsl.COST})
    cfg.freeze()
    print(f"A run of its own chooses the penalty on seen classes; {count} base classes are held out of it")
    before = stored_random_state()
    if cfg.SEED >= 0:
        set_random_seed(cfg.SEED)
    own = type(trainer)(cfg)
    own.train()
    restore_random_state(before)
    return own


@torch.no_grad()
def choose(trainer, own) -> dict:
    """By validation images of all base classes, and training images of those that were held out."""
    seen = torch.tensor([row is not None for row in own.classes.find(trainer.classes)], device=trainer.device)
    dataset, among = trainer.dm.dataset, trainer.classes + new_classes(trainer.cfg, trainer.dm.dataset)
    items = [*dataset.val, *(item for item in dataset.train_x if not seen[item.label])]
    images = DatasetWrapper(trainer.cfg, items, transform=build_transform(trainer.cfg, is_train=False))
    features, labels = trainer.plain_features(images, items, "base, held out among them")
    with own.classifier.among(among):
        logits = own.classifier.predict(features)
    penalty = gzsl.best_penalty(logits, labels, padded(seen, len(among)))
    held_out = [name for name, known in zip(trainer.classes, seen.tolist(), strict=True) if not known]
    return {"penalty": penalty, "classes": held_out, "images": len(items)}


def padded(seen: Tensor, count: int) -> Tensor:
    """Which of all classes are seen; those behind the base classes are not."""
    return torch.cat([seen, seen.new_zeros(count - len(seen))])
