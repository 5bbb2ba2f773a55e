"""Evaluation of a FeatureClassifier: figures, what may be chosen by validation, checkpoints in and out."""

from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Subset

from ..errors import InputError
from ..methods import FeatureClassifier
from ..run.checkpoints import checkpoint_path, load_state
from ..run.classes import Classes
from ..run.files import cannot_write, sha256_of
from ..run.memory import is_of_gpu, is_out_of_memory, memory_for
from ..run.results import TRAINING, read_record, run_record, write_record
from . import gzsl
from .resumable import ResumableTrainer


class EvaluatingTrainer(ResumableTrainer):
    """Tests with Dassl's evaluator, and writes results.json.

    A subclass sets `classifier`, `backbone`, `mode`, `code`, `images`, `model_record` and, where
    TRAINER.GZSL.CALIBRATION has chosen a penalty, `held_out` while it builds its model and trains it, and has
    `plain_features`, `evaluation_features`, `learned` and `made_by`.
    """

    penalty: float | None = None  # on seen classes' logits in the newest test; None where nothing was subtracted

    @property
    def classes(self) -> Classes:
        """The classes of the run's dataset."""
        return Classes.of_dataset(self.dm.dataset)

    @property
    def known_classes(self) -> Classes:
        """Those of them that have training images: all but DATASET.LABEL_ONLY's."""
        names_only = self.label_only
        return self.classes.take([row for row in range(len(self.classes)) if row not in names_only])

    @property
    def left_out(self) -> Classes:
        """The classes of the other half, where the dataset is of base or of new ones and says so."""
        names, ids = zip(*left, strict=True) if (left := getattr(self.dm.dataset, "left_out", ())) else ((), ())
        return Classes(names, ids, getattr(self.dm.dataset, "class_list", ""))

    @property
    def label_only(self) -> set[int]:
        """Labels of the classes of which only the names are known."""
        return set(getattr(self.dm.dataset, "label_only", ()))

    def before_train(self) -> None:
        if self.cfg.TEST.FINAL_MODEL == "best_val" and self.val_loader is None:  # Dassl would take the test set
            raise InputError("TEST.FINAL_MODEL best_val needs validation images, and the dataset has none.")
        super().before_train()

    @torch.no_grad()
    def test(self, split: str | None = None) -> float:
        """Accuracy on a split; without an argument, on TEST.SPLIT, and results.json is written."""
        final, split = split is None, split or self.cfg.TEST.SPLIT
        if split == "val" and self.val_loader is None:
            split = "test"  # as Dassl does where a dataset has no validation set
        self.set_model_mode("eval")
        self.evaluator.reset()
        if final and not getattr(self.dm.dataset, "judged", True):
            print("There are no pictures to judge by: none is held back")
            nothing = torch.zeros(0, dtype=torch.long)
            self.write_results({}, nothing, nothing, split)
            return 0.0
        print(f"Evaluate on the *{split}* set")
        keys = ("TRAINER.TEXT_CHUNK", "DATALOADER.TEST.BATCH_SIZE", "DATALOADER.NUM_WORKERS")
        with self.clock("test"), memory_for(f"the {split} images", self.cfg, *keys):
            logits, labels = self.judged_logits(split)
        self.evaluator.process(logits, labels)
        metrics = self.evaluator.evaluate()
        for found in (self.gzsl_figures(logits, labels), self.group_figures(logits, labels)):
            print("".join(f"* {name}: {value:.1f}%\n" for name, value in found.items()), end="")
            metrics = {**metrics, **found}
        for name, value in metrics.items():
            self.write_scalar(f"{split}/{name}", value, self.epoch)
        if final:
            self.write_results(metrics, logits.argmax(dim=-1), labels, split)
        return metrics["accuracy"]

    def judged_logits(self, split: str) -> tuple[Tensor, Tensor]:
        """Logits (N, C) of a split's images among the dataset's classes, by which they are judged; labels (N,)."""
        with self.among_own_classes():
            features, labels = self.evaluation_features(split)
            return self.classifier.predict(features) - self.penalties(), labels

    def write_results(self, metrics: dict[str, float], predicted: Tensor, labels: Tensor, split: str) -> None:
        """Writes results.json; predicted and true labels (N,) index the classes."""
        record = run_record(self.cfg, metrics, self.classes, predicted, labels, self.sources)
        about = {"mode": self.mode, "split": split, "training": self.trained, "seconds": self.seconds}
        checkpoint = self.model_record.get("checkpoint") or self.own_checkpoint()
        model = {"model": self.model_record.get("folder"), "checkpoint": checkpoint}
        classes = {"label_only": sorted(self.label_only), "left_out": self.left_out.as_plain()}
        held_out = {"held_out": self.held_out} if self.held_out else {}
        groups = {"groups": self.groups} if self.groups else {}
        penalty = {} if self.penalty is None else {"penalty": self.penalty}
        taken = {"taken": self.taken} if self.taken else {}
        made_by = {"code": self.code, "numerics": self.numerics.in_effect, "images": self.images}
        write_record(
            {**record, **about, **model, **classes, **groups, **held_out, **penalty, **taken, **made_by},
            self.cfg.OUTPUT_DIR,
        )

    def own_checkpoint(self) -> dict | None:
        """The checkpoint that training left, by which other runs know what they begin with; None without one."""
        name, module = self.learned()
        if self.mode != TRAINING or module is None:
            return None
        try:
            path = checkpoint_path(Path(self.output_dir, name), None)
        except InputError:
            return None
        return checkpoint_identity(path)

    def seen_classes(self) -> Tensor | None:
        """Which of the dataset's classes (C,) the evaluated model had images of; None if all, or if not known."""
        if names_only := self.label_only:
            return torch.tensor([row not in names_only for row in range(len(self.classes))], device=self.device)
        if self.model_record.get("dataset") != self.cfg.DATASET.NAME:
            return None
        known = Classes.from_plain({"classnames": (), **self.model_record})
        if None in self.classes.find(known) or len(known) >= len(self.classes):
            return None
        return torch.tensor([row is not None for row in known.find(self.classes)], device=self.device)

    def gzsl_figures(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        seen = self.seen_classes()
        if seen is None or len(seen[labels].unique()) < 2:  # there are test images of seen classes alone, say
            return {}
        return gzsl.figures(logits.argmax(dim=-1), labels, seen)

    @property
    def groups(self) -> dict[str, list[int]]:
        """Labels of the dataset's groups of classes, such as those of a long tail; mostly there are none."""
        return {name: list(labels) for name, labels in getattr(self.dm.dataset, "groups", {}).items()}

    def group_figures(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """Accuracy in % averaged per class over each group that has test images."""
        found = {}
        for name, members in self.groups.items():
            part = torch.zeros(len(self.classes), dtype=torch.bool, device=labels.device)
            part[members] = True
            if part[labels].any():
                found[name] = gzsl.mean_over_classes(logits.argmax(dim=-1), labels, part)
        return found

    def penalties(self) -> Tensor:
        """What is subtracted from the logits (C,): TRAINER.GZSL.CALIBRATION's penalty on seen classes, or 0."""
        seen, cost = self.seen_classes(), self.cfg.TRAINER.GZSL.CALIBRATION_COST
        self.penalty = None
        if seen is not None and self.cfg.TRAINER.GZSL.CALIBRATION == gzsl.HELD_OUT:
            self.penalty = self.held_out_penalty()
        elif seen is not None and cost and self.has_own_validation_images():
            self.penalty = self.affordable_penalty(seen, cost)
        nothing = torch.zeros(len(self.classes), device=self.device)
        return nothing if self.penalty is None else torch.where(seen, self.penalty, nothing)

    def affordable_penalty(self, seen: Tensor, cost: float) -> float:
        """The penalty that costs so many points of seen classes' validation accuracy."""
        val = self.dm.dataset.val
        mine = [index for index, item in enumerate(val) if seen[item.label]]
        images, items = Subset(self.val_loader.dataset, mine), [val[index] for index in mine]
        features, labels = self.plain_features(images, items, "val, seen")
        chosen = float(gzsl.penalty(self.classifier.predict(features), labels, seen, cost))
        print(f"Subtracted from seen classes' logits: {chosen:.3f}, by {len(mine)} validation images of seen classes")
        return chosen

    def held_out_penalty(self) -> float:
        """The penalty that was chosen before the evaluated model was trained; raises InputError without one."""
        held_out = self.model_record.get("held_out")
        if not held_out:
            raise InputError(
                f"{self.model_record['folder']} was trained without TRAINER.GZSL.CALIBRATION held_out, which chooses "
                "the penalty before training: train with it, or evaluate without."
            )
        chosen = held_out["penalty"]
        print(f"Subtracted from seen classes' logits: {chosen:.3f}, by base classes that a run of its own held out")
        return chosen

    def among_own_classes(self) -> AbstractContextManager[None]:
        """Classifies among the dataset's classes for a while, whatever classes are trained among."""
        return self.classifier.among(self.classes)

    def has_own_validation_images(self) -> bool:
        """Whether something may be chosen by validation: there are such images, and they are not the test set's."""
        val = self.dm.dataset.val
        if val and {item.impath for item in val} & {item.impath for item in self.dm.dataset.test}:
            print("Nothing is chosen by validation: the dataset's validation images are its test images")
            return False
        return bool(val)

    def tune(self) -> None:
        """Lets the method choose what it chooses on validation images; never on images of the test set."""
        chooses = type(self.classifier).tune is not FeatureClassifier.tune
        if self.classifier.remembers and chooses and self.has_own_validation_images():
            with self.among_own_classes():
                self.classifier.tune(*self.evaluation_features("val"))

    def save_model(self, *args, **kwargs) -> None:
        self.tune()
        try:
            super().save_model(*args, **kwargs)
        except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError, too
            if is_out_of_memory(error) or is_of_gpu(error):
                raise
            raise cannot_write(Path(self.output_dir, self.learned()[0]), error) from error

    def model_inference(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone.encode_image(images))

    def load_model(self, directory: str, epoch: int | None = None) -> None:
        """Loads what was learned, for evaluation; without an epoch the best on validation, else the newest.

        Raises InputError where there is none, or it does not fit.
        """
        self.model_record = read_record(directory) if directory else {}
        name, module = self.learned()
        if module is None or not directory:
            print("Nothing to load: no model directory given, or nothing learned")
            return
        path = checkpoint_path(Path(directory) / name, epoch)
        stored = load_state(module, path, self.made_by)
        asked_for = {"asked_for": epoch, "config_hash": self.model_record.get("config_hash")}
        self.model_record["checkpoint"] = {**checkpoint_identity(path), **asked_for}
        print(f'Loading weights to {name} from "{path}" (epoch = {stored})')


def checkpoint_identity(path: Path) -> dict[str, str]:
    """What results.json says of a checkpoint: its file, under the output folder, and its checksum."""
    return {"file": f"{path.parent.name}/{path.name}", "sha256": sha256_of(path)}
