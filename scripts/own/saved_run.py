"""A complete run to be used: its configuration, its classes, its model."""

import argparse
import io
from contextlib import redirect_stdout
from pathlib import Path

from protocols.backbones import find_backbone
from yacs.config import CfgNode

from configuration import MERGE_ERRORS, default_cfg, message_of
from trainers.all import TRAINERS
from trainers.blocks.clip.class_names import spoken
from trainers.blocks.errors import InputError
from trainers.blocks.run.classes import Classes
from trainers.blocks.run.results import FILE_NAME, read_record
from trainers.blocks.training.feature_trainer import FeatureTrainer
from trainers.blocks.training.gzsl import HELD_OUT
from trainers.blocks.training.predicting import without_images

SUBSETS = ("base", "new", "all")
BEGUN_WITH = ("RESUME", "MODEL.INIT_WEIGHTS")  # of training, not of what it came to


class SavedRun:
    """A run by its folder; raises InputError where that holds none that is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.record = folder, read_record(folder)
        if not {"config", "classnames", "metrics"} <= self.record.keys():
            raise InputError(self.what_is_wrong())
        self.own = Classes.from_plain(self.record)
        self.left_out = Classes.from_plain({"classnames": (), **(self.record.get("left_out") or {})})

    def what_is_wrong(self) -> str:
        if not self.folder.is_dir():
            return f"There is no folder {self.folder}; RUN is the output folder of a run."
        if (self.folder / "config.yaml").is_file():
            return f"{self.folder} holds an incomplete run, without {FILE_NAME}: the command that began it goes on."
        return f"{self.folder} holds no run: it has no {FILE_NAME}. RUN is an output folder, such as …/seed1."

    @property
    def seen(self) -> Classes:
        """The classes that its model had images of."""
        model = read_record(self.model_folder) if self.record.get("model") else self.record
        classes = Classes.from_plain({"classnames": (), **model})
        return classes.take([row for row in range(len(classes)) if row not in model.get("label_only", ())])

    @property
    def penalty(self) -> float | None:
        """What its calibration subtracts from the logits of seen classes; None where that is not known, or none."""
        return self.record.get("penalty", self.record.get("held_out", {}).get("penalty"))

    @property
    def calibrates(self) -> bool:
        """Whether its test subtracts something from the logits of seen classes where unseen ones compete."""
        options = self.record["config"]["TRAINER"].get("GZSL", {})
        return options.get("CALIBRATION") == HELD_OUT or bool(options.get("CALIBRATION_COST"))

    @property
    def trainer(self) -> type[FeatureTrainer]:
        name = self.record["config"]["TRAINER"]["NAME"]
        if name not in TRAINERS:
            raise InputError(f"{self.folder} is a run of {name}, which is not known here: {', '.join(TRAINERS)}.")
        return TRAINERS[name]

    @property
    def model_folder(self) -> str:
        """Where its checkpoint is: in its own folder, or in that of the run which it evaluated."""
        return self.record.get("model") or str(self.folder)

    def config(self, args: argparse.Namespace) -> CfgNode:
        """Its configuration, with --data and --backbone where they are given. Raises ValueError."""
        cfg = default_cfg()
        try:
            cfg.merge_from_other_cfg(CfgNode(self.record["config"]))
        except MERGE_ERRORS as error:
            raise InputError(
                f"{self.folder / FILE_NAME} is of another version of this project: {message_of(error)}"
            ) from error
        cfg.merge_from_list([word for key in BEGUN_WITH for word in (key, "")])
        cfg.OUTPUT_DIR = str(self.folder)
        if args.backbone:
            cfg.MODEL.BACKBONE.NAME = find_backbone(args.backbone).name
        cfg.DATASET.ROOT = str(args.data) if args.data else cfg.DATASET.ROOT
        cfg.freeze()
        return cfg

    def load(self, args: argparse.Namespace, images: bool = True) -> FeatureTrainer:
        """Its trainer with its model, silently; without `images` nothing of its dataset is read."""
        cfg = self.config(args)
        with redirect_stdout(io.StringIO()):  # what training says of its parts
            trainer = self.trainer(cfg) if images else without_images(self.trainer, cfg, self.own)
            trainer.load_model(self.model_folder)
            trainer.set_model_mode("eval")
        return trainer

    def subset(self, name: str) -> Classes:
        """Its base or new classes, or all of them; raises InputError where it was not of one half."""
        mine = self.record.get("classes", "all")
        if name == mine or (name == "all" and not self.left_out):
            return self.own
        if mine == "all" or not self.left_out:
            raise InputError(f"{self.folder} knows no {name} classes: it was trained on {mine} classes.")
        if name != "all":
            return self.left_out
        return self.own + self.left_out if mine == "base" else self.left_out + self.own

    def named(self, names: list[str]) -> Classes:
        """Classes by names, in the run's own spelling where it has them."""
        known = self.subset("all")
        rows = {spoken(name): row for row, name in reversed(list(enumerate(known)))}
        found = [rows.get(spoken(name)) for name in names]
        if None not in found:
            return known.take(found)
        return Classes(tuple(name if row is None else known[row] for name, row in zip(names, found, strict=True)))
