"""The evaluator of classification: accuracy and macro F1; if asked, results per class and confusion matrix."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from yacs.config import CfgNode

from ..utils import mkdir_if_missing
from .build import EVALUATOR_REGISTRY


class EvaluatorBase:
    """What an evaluator does: reset, process batch after batch, evaluate."""

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg

    def reset(self) -> None:
        raise NotImplementedError

    def process(self, mo: torch.Tensor, gt: torch.Tensor) -> None:
        raise NotImplementedError

    def evaluate(self) -> OrderedDict[str, float]:
        raise NotImplementedError


@EVALUATOR_REGISTRY.register()
class Classification(EvaluatorBase):
    """Counts how often the highest logit is the label's."""

    def __init__(self, cfg: CfgNode, lab2cname: Mapping[int, str] | None = None, **kwargs: Any) -> None:
        super().__init__(cfg)
        if cfg.TEST.PER_CLASS_RESULT and lab2cname is None:
            raise ValueError("TEST.PER_CLASS_RESULT needs lab2cname, the class names by label")
        self._lab2cname = lab2cname
        self.reset()

    def reset(self) -> None:
        self._correct = 0
        self._total = 0
        self._y_true: list[int] = []
        self._y_pred: list[int] = []

    def process(self, mo: torch.Tensor, gt: torch.Tensor) -> None:
        """Take in the logits `mo` (B, C) and labels `gt` (B,) of one batch."""
        pred = mo.max(dim=1).indices
        self._correct += int((pred == gt).sum())
        self._total += len(gt)
        self._y_true.extend(gt.tolist())
        self._y_pred.extend(pred.tolist())

    def evaluate(self) -> OrderedDict[str, float]:
        """Print and return the figures in %: accuracy, error_rate, macro_f1 and, if asked, perclass_accuracy.

        Macro F1 is scikit-learn's, over the labels that occur. Raises ValueError if nothing was processed.
        """
        if not self._total:
            raise ValueError("There is nothing to evaluate: no batch was processed")
        from sklearn.metrics import f1_score  # slow to import, and not needed before here

        accuracy = 100.0 * self._correct / self._total
        labels = np.unique(self._y_true)
        macro_f1 = 100.0 * f1_score(self._y_true, self._y_pred, average="macro", labels=labels)
        results = OrderedDict(accuracy=accuracy, error_rate=100.0 - accuracy, macro_f1=float(macro_f1))
        print(
            "=> result\n"
            f"* total: {self._total:,}\n"
            f"* correct: {self._correct:,}\n"
            f"* accuracy: {results['accuracy']:.1f}%\n"
            f"* error: {results['error_rate']:.1f}%\n"
            f"* macro_f1: {results['macro_f1']:.1f}%"
        )
        if self.cfg.TEST.PER_CLASS_RESULT:
            results["perclass_accuracy"] = self._report_per_class(labels.tolist())
        if self.cfg.TEST.COMPUTE_CMAT:
            self._save_confusion_matrix()
        return results

    def _report_per_class(self, labels: list[int]) -> float:
        print("=> per-class result")
        hits = np.equal(self._y_true, self._y_pred)
        accuracies = []
        for label in labels:
            of_class = hits[np.equal(self._y_true, label)]
            accuracies.append(100.0 * of_class.mean())
            print(
                f"* class: {label} ({self._lab2cname[label]})\ttotal: {len(of_class):,}\t"
                f"correct: {of_class.sum():,}\tacc: {accuracies[-1]:.1f}%"
            )
        mean = float(np.mean(accuracies))
        print(f"* average: {mean:.1f}%")
        return mean

    def _save_confusion_matrix(self) -> None:
        from sklearn.metrics import confusion_matrix

        matrix = confusion_matrix(self._y_true, self._y_pred, normalize="true")
        mkdir_if_missing(self.cfg.OUTPUT_DIR)
        path = os.path.join(self.cfg.OUTPUT_DIR, "cmat.pt")
        # As a tensor, which torch.load reads without unpickling anything else.
        torch.save(torch.from_numpy(matrix), path)
        print(f"Confusion matrix is saved to {path}")
