"""All numbers about a run, as JSON holds them: the page shows these and no others."""

from collections.abc import Sequence
from typing import Any

from dassl.data.datasets import Datum

from . import curves, facts, judging, prompts
from .opened import OpenedRun
from .synthesis import Inspected, ship_numbers

FORMAT = 1
EXAMPLES = 4  # pictures of a pair of classes that is confused


def numbers_of(opened: OpenedRun, map_kind: str) -> dict[str, Any]:
    """What the run's page shows; a part that cannot be had is None, and `left_out` says why."""
    run, trainer = opened.run, opened.trainer
    about = facts.facts_of(run)
    found = {
        "format": FORMAT,
        "title": facts.title_of(about),
        "facts": about,
        "predictions": predictions_of(opened),
        "recorded": run.record.get("per_class_accuracy") or {},
        "curves": curves.read_curves(run.folder, run.trainer.__name__),
        "last_epoch": curves.last_values(run.record),
        "contexts": prompts.contexts_of(trainer.classifier, trainer.backbone),
        "text_features": prompts.before_and_after(trainer.classifier, opened.base, opened.new),
        "ship": None,
        "left_out": opened.left_out,
    }
    if run.record.get("trainer") == "SHIP" and opened.trained:
        found["ship"] = ship_numbers(Inspected(opened), map_kind)
    return found


def predictions_of(opened: OpenedRun) -> dict[str, Any] | None:
    """How good the run's predictions are; None without its pictures."""
    if opened.logits is None or not len(opened.labels):
        return None
    names = opened.trainer.classes.distinct()
    labels, predicted = opened.labels.cpu().numpy(), opened.logits.argmax(dim=-1).cpu().numpy()
    classes = judging.by_class(labels, predicted, names)
    pairs = judging.confusions(labels, predicted, names)
    return {
        **judging.overall(labels, predicted, classes),
        "by_class": classes,
        "confusions": [with_examples(pair, opened.items) for pair in pairs],
        "calibration": judging.calibration(judging.confidence_of(opened.logits), labels == predicted),
    }


def with_examples(pair: dict[str, Any], items: Sequence[Datum]) -> dict[str, Any]:
    """The pair with files of some pictures that are mistaken, and of some that are of the other class."""
    rows, others = pair.pop("rows"), pair.pop("rows_of_other")
    examples = {"examples": rows, "examples_of_other": others}
    return pair | {name: [items[row].impath for row in some[:EXAMPLES]] for name, some in examples.items()}
